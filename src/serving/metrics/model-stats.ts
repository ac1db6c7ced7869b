import { entryOf } from "../../common/maps.ts";
import type { Timing } from "../runtime/frames.ts";
import type { Counter, Meter, Reading } from "./meter.ts";

/** How often, and how long altogether. */
interface Duration {
  count: number;
  seconds: number;
}

/** What a model did since the frontend was started, all its processes together. */
export interface ModelStatistics {
  name: string;
  version: string;
  /** When it was last asked, in milliseconds since 1970; 0 for never. */
  lastInference: number;
  /** Rows that were answered. */
  inferences: number;
  /** Computations; one may have answered rows of several requests. */
  executions: number;
  /** Requests that were answered, from the question to the answer; that were not; that waited in the runtime; that were computed. */
  stages: Record<Stage, Duration>;
  /** By the rows of a computation, ascending; above {@link EXACT_ROWS} the next power of two. */
  batches: { rows: number; compute: Duration }[];
}

const STAGES = ["success", "fail", "queue", "compute"] as const;
type Stage = (typeof STAGES)[number];

/** Batches of so many rows are told apart by their number of rows. */
const EXACT_ROWS = 32;

interface Model {
  name: string;
  version: string;
}

/** Takes down what models do. */
export interface ModelStats {
  /** @param elapsedMs from the question to the answer */
  answered(model: Model, rows: number, timing: Timing, elapsedMs: number): void;
  failed(model: Model, elapsedMs: number): void;
}

const LABELS = ["model", "version"];
const INFERENCES = "slipway_model_inferences_total";
const EXECUTIONS = "slipway_model_executions_total";
const STAGE_COUNT = "slipway_model_stage_total";
const STAGE_SECONDS = "slipway_model_stage_seconds_total";
const BATCH_COUNT = "slipway_model_batches_total";
const BATCH_SECONDS = "slipway_model_batch_seconds_total";
const LAST = "slipway_model_last_inference_timestamp_seconds";

interface Pair {
  count: Counter;
  seconds: Counter;
}

/** A model's counters, looked up once: every prediction counts. */
interface Recorder {
  inferences: Counter;
  executions: Counter;
  stages: Record<Stage, Pair>;
  /** By the batch's size. */
  batches: Map<number, Pair>;
  last: { labels: string[]; value: number };
}

/**
 * Statistics among a frontend's figures. A computation that several requests share is counted by each with its share of the rows, so
 * that the sum over requests and processes is right.
 */
export function modelStatsOf(meter: Meter): ModelStats {
  const inferences = meter.counter({ name: INFERENCES, help: "Rows that a model answered.", labels: LABELS });
  const executions = meter.counter({ name: EXECUTIONS, help: "Computations of a model.", labels: LABELS });
  const stageLabels = [...LABELS, "stage"];
  const count = meter.counter({ name: STAGE_COUNT, help: "Requests by what became of them.", labels: stageLabels });
  const seconds = meter.counter({
    name: STAGE_SECONDS,
    help: "Time that requests took, by stage.",
    labels: stageLabels,
  });
  const batchLabels = [...LABELS, "rows"];
  const batches = meter.counter({ name: BATCH_COUNT, help: "Computations by their rows.", labels: batchLabels });
  const batchSeconds = meter.counter({ name: BATCH_SECONDS, help: "Time of computing, by rows.", labels: batchLabels });
  const last = new Map<string, { labels: string[]; value: number }>();
  meter.gauge({ name: LAST, help: "When a model was last asked.", labels: LABELS, combine: "max" }, () => [
    ...last.values(),
  ]);
  const recorders = new WeakMap<Model, Recorder>();
  const recorderOf = (model: Model): Recorder => {
    const known = recorders.get(model);
    if (known) return known;
    const labels = [model.name, model.version];
    const stage = (name: Stage) => ({ count: count(...labels, name), seconds: seconds(...labels, name) });
    const stages = { success: stage("success"), fail: stage("fail"), queue: stage("queue"), compute: stage("compute") };
    const key = labels.join("\0");
    const touched = last.get(key) ?? { labels, value: 0 };
    last.set(key, touched);
    const recorder: Recorder = {
      inferences: inferences(...labels),
      executions: executions(...labels),
      stages,
      batches: new Map(),
      last: touched,
    };
    recorders.set(model, recorder);
    return recorder;
  };
  const batchesOf = ({ batches: known }: Recorder, { name, version }: Model, size: number): Pair =>
    entryOf(known, size, () => {
      const labels = [name, version, String(size)];
      return { count: batches(...labels), seconds: batchSeconds(...labels) };
    });
  const touch = ({ last }: Recorder) => {
    last.value = Date.now() / 1000;
  };
  const add = ({ count, seconds }: Pair, time: number, times = 1) => {
    count.add(times);
    seconds.add(time);
  };
  return {
    answered: (model, rows, { batchRows, queueMicros, computeMicros }, elapsedMs) => {
      const recorder = recorderOf(model);
      const share = batchRows > rows ? rows / batchRows : 1;
      const compute = computeMicros / 1e6;
      recorder.inferences.add(rows);
      recorder.executions.add(share);
      add(recorder.stages.success, elapsedMs / 1000);
      add(recorder.stages.queue, queueMicros / 1e6);
      add(recorder.stages.compute, compute);
      add(batchesOf(recorder, model, batchSizeOf(Math.max(rows, batchRows))), compute * share, share);
      touch(recorder);
    },
    failed: (model, elapsedMs) => {
      const recorder = recorderOf(model);
      add(recorder.stages.fail, elapsedMs / 1000);
      touch(recorder);
    },
  };
}

/** The statistics of {@link modelStatsOf} among a frontend's figures, by name and version. */
export function modelStatisticsIn(readings: readonly Reading[]): ModelStatistics[] {
  const statistics = new Map<string, ModelStatistics>();
  const find = (name: string, version: string): ModelStatistics => {
    const key = `${name}\0${version}`;
    const known = statistics.get(key) ?? emptyStatistics(name, version);
    statistics.set(key, known);
    return known;
  };
  for (const { family, cells } of readings) {
    const use = uses[family.name];
    if (!use) continue;
    for (const { labels, value } of cells) {
      const [name = "", version = "", third = ""] = labels;
      // what a meter counts under one name because there is too much of it belongs to no version
      if (typeof value === "number" && version !== "" && third !== "others") use(find(name, version), value, third);
    }
  }
  for (const { batches } of statistics.values()) {
    for (const { compute } of batches) compute.count = Math.round(compute.count);
    batches.sort((a, b) => a.rows - b.rows);
  }
  return [...statistics.values()];
}

/** A model that was not asked yet. */
export function emptyStatistics(name: string, version: string): ModelStatistics {
  const none = () => ({ count: 0, seconds: 0 });
  const stages = { success: none(), fail: none(), queue: none(), compute: none() };
  return { name, version, lastInference: 0, inferences: 0, executions: 0, stages, batches: [] };
}

const uses: Record<string, (statistics: ModelStatistics, value: number, label: string) => void> = {
  [INFERENCES]: (statistics, value) => {
    statistics.inferences = value;
  },
  [EXECUTIONS]: (statistics, value) => {
    statistics.executions = Math.round(value);
  },
  [LAST]: (statistics, value) => {
    statistics.lastInference = Math.round(value * 1000);
  },
  [STAGE_COUNT]: ({ stages }, value, stage) => {
    stages[stage as Stage].count = value;
  },
  [STAGE_SECONDS]: ({ stages }, value, stage) => {
    stages[stage as Stage].seconds = value;
  },
  [BATCH_COUNT]: (statistics, value, rows) => {
    batchOf(statistics, Number(rows)).count = value;
  },
  [BATCH_SECONDS]: (statistics, value, rows) => {
    batchOf(statistics, Number(rows)).seconds = value;
  },
};

function batchOf({ batches }: ModelStatistics, rows: number): Duration {
  const known = batches.find((batch) => batch.rows === rows);
  if (known) return known.compute;
  const compute = { count: 0, seconds: 0 };
  batches.push({ rows, compute });
  return compute;
}

function batchSizeOf(rows: number): number {
  return rows <= EXACT_ROWS ? rows : 2 ** Math.ceil(Math.log2(rows));
}
