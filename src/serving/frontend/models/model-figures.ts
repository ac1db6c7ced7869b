import { entryOf } from "../../../common/maps.ts";
import { type ModelCounters, modelCountersOf } from "../../metrics/counters.ts";
import type { Cell, Histogram, Meter } from "../../metrics/meter.ts";
import { modelStatsOf } from "../../metrics/model-stats.ts";
import { PREDICT_BUCKETS } from "../../metrics/predict-buckets.ts";
import { type AskedRouter, withPredict } from "../../routing/asked-router.ts";
import { RuntimeError, type ServedModel } from "../../routing/question.ts";
import { rowsIn } from "../../runtime/fitting.ts";
import type { FrontendContext } from "../context.ts";
import { wayOf } from "../releases/version-figures.ts";

const ROW_BUCKETS = [1, 4, 16, 64, 256, 1024, 4096];
/** In seconds. */
const TIME_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1];

/** The figures that the live page reads. */
export const LIVE_FIGURES = {
  latency: "slipway_predict_seconds",
  inFlight: "slipway_predictions_in_flight",
  runtimeRows: "slipway_runtime_rows_in_flight",
} as const;

/** The figures that a release is judged by. */
export const RELEASE_FIGURES = {
  refused: "slipway_model_refused_total",
  serves: "slipway_model_serves",
  processes: "slipway_frontend_processes",
} as const;

/** The context with a router whose answers are counted, by model; what it serves, and the queue's depth, are figures, too. */
export function meterModels(context: FrontendContext, meter: Meter): FrontendContext {
  const { router, jobs } = context;
  meterWhatServes(router, meter);
  if (jobs) {
    meter.gauge(
      { name: "slipway_jobs", help: "Jobs in the queue, by state.", labels: ["state"], combine: "max" },
      async () => Object.entries(await jobs.depths()).map(([state, value]) => ({ labels: [state], value })),
    );
  }
  return { ...context, router: counted(router, meter) };
}

function meterWhatServes(router: AskedRouter, meter: Meter): void {
  // each process sees the same
  const combine = "max";
  meter.gauge(
    { name: "slipway_runtime_connected", help: "1 where a runtime is connected.", labels: [], combine },
    () => [{ labels: [], value: router.runtimes.length > 0 ? 1 : 0 }],
  );
  meter.gauge(
    { name: "slipway_runtimes", help: "Runtimes that are connected.", labels: ["group", "provider"], combine },
    () => {
      const cells = new Map<string, Cell & { value: number }>();
      for (const { group, provider } of router.runtimes) {
        const key = `${group} ${provider}`;
        cells.set(key, { labels: [group, provider], value: (cells.get(key)?.value ?? 0) + 1 });
      }
      return [...cells.values()];
    },
  );
  // each process asks for rows of its own
  meter.gauge(
    {
      name: LIVE_FIGURES.runtimeRows,
      help: "Rows that a runtime was asked for and has not answered.",
      labels: ["group", "runtime"],
    },
    () => router.runtimes.map(({ group, id, rows }) => ({ labels: [group, id], value: rows })),
  );
  const labels = ["model", "version", "digest", "live"];
  meter.gauge({ name: "slipway_model_info", help: "1 for each model that serves.", labels, combine }, () =>
    router.models.map(({ model: { name, version, digest }, live }) => ({
      labels: [name, version, digest, String(live)],
      value: 1,
    })),
  );
  // these are added up: what a release asks is how many processes have heard of it
  meter.gauge(
    { name: RELEASE_FIGURES.processes, help: "Processes of the frontend that tell their figures.", labels: [] },
    () => [{ labels: [], value: 1 }],
  );
  meter.gauge(
    {
      name: RELEASE_FIGURES.serves,
      help: "Processes of the frontend for which a model serves in this way.",
      labels: ["model", "version", "digest", "way"],
    },
    () =>
      router.models.map(({ model: { name, version, digest }, ...how }) => ({
        labels: [name, version, digest, wayOf(how)],
        value: 1,
      })),
  );
}

function counted(router: AskedRouter, meter: Meter): AskedRouter {
  const counters = modelCountersOf(meter);
  const refusals = meter.counter({
    name: RELEASE_FIGURES.refused,
    help: "Requests that failed by what was asked, not by the model or the host.",
    labels: ["model", "version"],
  });
  const latencies = meter.histogram({
    name: LIVE_FIGURES.latency,
    help: "Time from a question to a model to its answer, or to its failure.",
    labels: ["model", "version"],
    buckets: PREDICT_BUCKETS,
  });
  const figuresOf = ({ model }: ServedModel) => ({
    byWorker: new Map<string, ModelCounters>(),
    refused: refusals(model.name, model.version),
    latency: latencies(model.name, model.version),
  });
  const known = new WeakMap<ServedModel, ReturnType<typeof figuresOf>>();
  const ownOf = (served: ServedModel) => entryOf(known, served, () => figuresOf(served));
  const countersOf = (served: ServedModel, worker = NOBODY) =>
    entryOf(ownOf(served).byWorker, worker, () => counters(served.model, worker));
  const stats = modelStatsOf(meter);
  const rows = meter.histogram({
    name: "slipway_predict_rows",
    help: "Rows that one request asks for.",
    labels: [],
    buckets: ROW_BUCKETS,
  })();
  const batchRows = meter.histogram({
    name: "slipway_batch_rows",
    help: "Rows of the batch that a request was computed in.",
    labels: [],
    buckets: ROW_BUCKETS,
  })();
  const seconds = (name: string, help: string) => meter.histogram({ name, help, labels: [], buckets: TIME_BUCKETS })();
  const queued = seconds("slipway_queue_seconds", "Time that a request waited in the runtime.");
  const computed = seconds("slipway_compute_seconds", "Time that the batch of a request was computed for.");
  let inFlight = 0;
  meter.gauge({ name: LIVE_FIGURES.inFlight, help: "Questions to models that are not answered.", labels: [] }, () => [
    { labels: [], value: inFlight },
  ]);
  /** @returns how long it took, in milliseconds */
  const finish = (start: number, { latency }: { latency: Histogram }): number => {
    const elapsedMs = performance.now() - start;
    inFlight--;
    latency.observe(elapsedMs / 1000);
    return elapsedMs;
  };
  return withPredict(router, (served, inputs, terms) => {
    const count = rowsIn(served.card, inputs);
    const start = performance.now();
    rows.observe(count);
    inFlight++;
    return router.predict(served, inputs, terms).then(
      (answer) => {
        const { timing } = answer;
        batchRows.observe(timing.batchRows);
        queued.observe(timing.queueMicros / 1e6);
        computed.observe(timing.computeMicros / 1e6);
        const milliseconds = finish(start, ownOf(answer.served));
        countersOf(answer.served, answer.worker).answered(count, milliseconds);
        stats.answered(answer.served.model, count, timing, milliseconds);
        return answer;
      },
      (error: unknown) => {
        const own = ownOf(served);
        const milliseconds = finish(start, own);
        countersOf(served, error instanceof RuntimeError ? error.worker : undefined).failed(milliseconds);
        if (isRefusal(error)) own.refused.add(1);
        stats.failed(served.model, milliseconds);
        throw error;
      },
    );
  });
}

/** Whether the caller alone can help it: answered as 4xx. */
function isRefusal(error: unknown): boolean {
  return error instanceof RuntimeError && (error.reason === "invalid" || error.reason === "rejected");
}

/** The worker of questions that no runtime was asked, or none that says who it is. */
const NOBODY = "none";
