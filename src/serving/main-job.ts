import { limitsOf, readServingConfig, runtimeSockets } from "./config.ts";
import { type JobHandler, serveJobs } from "./jobs/child.ts";
import { computePredictions } from "./jobs/predictions.ts";
import type { PredictionJob } from "./jobs/records.ts";
import { awaitModel } from "./jobs/runtime-link.ts";
import { maintenanceTasks } from "./jobs/schedules.ts";
import { selfCheck } from "./jobs/self-check.ts";
import { openSpool } from "./jobs/spool.ts";
import { Router } from "./routing/router.ts";
import { predictRows, type RowModel } from "./routing/rows.ts";

/** A job's process: a worker starts it, gives it one job after the other, and ends it. */
const config = await readServingConfig();
const limits = limitsOf(config);
const { modelsDir } = config;
const spool = await openSpool(config.jobs.spoolDir, limits.spoolBytes);
const router = new Router({
  sockets: runtimeSockets(config),
  deadlineMs: limits.deadlineMs,
  inFlightRows: limits.inFlightRows,
});
const served = (name: string | undefined, signal: AbortSignal) => awaitModel(router, name, signal);
const predict = (model: RowModel, values: Float32Array, rows: number) => predictRows(router, model, values, rows);

const handlers: Record<string, JobHandler> = {
  predict: ({ id, data }, { signal, onProgress }) =>
    computePredictions(id, data as PredictionJob, { served, predict, spool, onProgress, signal }),
  [maintenanceTasks.selfCheck]: (_task, { signal }) => selfCheck({ served, router, modelsDir, signal }),
};
// systemd tells it to all processes of the service: the worker decides what becomes of its jobs
process.on("SIGTERM", () => undefined);
serveJobs(handlers);
