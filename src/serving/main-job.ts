import { limitsOf, modelLimitsOf, readServingConfig } from "./config.ts";
import { type JobHandler, serveJobs } from "./jobs/child.ts";
import { JobFailure } from "./jobs/children.ts";
import { computePredictions } from "./jobs/predictions.ts";
import type { PredictionJob } from "./jobs/records.ts";
import { awaitModel } from "./jobs/runtime-link.ts";
import { maintenanceTasks } from "./jobs/schedules.ts";
import { selfCheck } from "./jobs/self-check.ts";
import { openSpool } from "./jobs/spool.ts";
import { publishStep, type TrainingTools, trainStep, validateStep } from "./jobs/training-steps.ts";
import { runtimeAddresses } from "./routing/addresses.ts";
import { Router } from "./routing/router.ts";
import { predictRows, type RowModel } from "./routing/rows.ts";

/** A job's process: a worker starts it, gives it one job after the other, and ends it. */
const config = await readServingConfig();
const limits = limitsOf(config);
const { modelsDir } = config;
const spool = await openSpool(config.jobs.spoolDir, limits.spoolBytes);
const router = new Router({
  sockets: await runtimeAddresses(config),
  deadlineMs: limits.deadlineMs,
  deadlineOf: (model) => modelLimitsOf(config, model).deadlineMs,
  inFlightRows: limits.inFlightRows,
});
const served = (name: string | undefined, signal: AbortSignal) => awaitModel(router, name, signal);
const predict = (model: RowModel, values: Float32Array, rows: number) => predictRows(router, model, values, rows);

const handlers: Record<string, JobHandler> = {
  predict: ({ id, data }, { signal, onProgress }) =>
    computePredictions(id, data as PredictionJob, { served, predict, spool, onProgress, signal }),
  train: async (task, around) => trainStep(task, await trainingTools(), around),
  validate: async (task) => validateStep(task, await trainingTools()),
  publish: async (task) => {
    const published = await publishStep(task, await trainingTools());
    // runtimes look by themselves when they start; those that run are told
    const { failed } = await router.sync();
    if (failed.length > 0) throw new JobFailure(`no runtime takes the model: ${JSON.stringify(failed)}`, false);
    return published;
  },
  [maintenanceTasks.selfCheck]: (_task, { signal }) => selfCheck({ served, router, modelsDir, signal }),
};

/** Loaded when a training comes: the other jobs' processes stay small. */
async function trainingTools(): Promise<TrainingTools> {
  const [{ trainModel }, { publishPackage, verifyPackage }] = await Promise.all([
    import("./training/train-model.ts"),
    import("./models/shelf.ts"),
  ]);
  const publish: TrainingTools["shelf"]["publish"] = (tar, digest, name) =>
    publishPackage(modelsDir, tar, digest, name);
  return { train: trainModel, verify: verifyPackage, shelf: { publish }, modelsDir, spool, trainers: config.trainers };
}

// systemd tells it to all processes of the service: the worker decides what becomes of its jobs
process.on("SIGTERM", () => undefined);
serveJobs(handlers);
