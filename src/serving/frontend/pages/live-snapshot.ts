import type { Epoch } from "../../jobs/epoch-lines.ts";
import type { JobQueue } from "../../jobs/queue.ts";
import type { QueueLoad } from "../../jobs/queue-loads.ts";
import type { JobReport } from "../../jobs/records.ts";
import { thinned, type trainingCurves } from "../../jobs/training-curve.ts";
import { cellsIn, type Reading } from "../../metrics/meter.ts";
import { modelStatisticsIn } from "../../metrics/model-stats.ts";
import type { ModelIdentity } from "../../models/registry.ts";
import type { ListedModel } from "../../routing/directory.ts";
import type { FrontendContext } from "../context.ts";
import { LIVE_FIGURES } from "../models/model-figures.ts";
import { type TrialFigures, trialFiguresIn, unaskedTrial } from "../trials/trial-figures.ts";

/** What models were asked since the frontend was started, all its processes together, and what is under way. */
interface LivePredictions {
  /** Requests. */
  answered: number;
  failed: number;
  /** Rows that were answered; batches that they were computed in. Shares of batches are added up: not exactly whole. */
  rows: number;
  batches: number;
  /** Requests, and rows that runtimes were asked for. */
  inFlight: number;
  rowsInFlight: number;
}

interface LiveRuntime {
  id: string;
  group: string;
  provider: string;
  /** Why it is not what was asked for. */
  note: string | undefined;
  rowsInFlight: number;
}

interface LiveModel extends ModelIdentity {
  live: boolean;
  answered: number;
  failed: number;
  rows: number;
  /** Where it is tried beside the live version. Copies in shadow mode are counted here alone. */
  trial: (NonNullable<ListedModel["trial"]> & Pick<TrialFigures, "reasked" | "shadow">) | undefined;
}

/** What holds for whoever asks. */
export interface LiveFigures {
  /** Milliseconds since 1970. */
  at: number;
  predictions: LivePredictions;
  /** Seconds from question to answer; one more count than bounds. */
  latency: { bounds: number[]; counts: number[] };
  runtimes: LiveRuntime[];
  models: LiveModel[];
}

/** A host's figures as they are now. */
export function liveFigures(readings: readonly Reading[], router: FrontendContext["router"], at: number): LiveFigures {
  const statistics = modelStatisticsIn(readings);
  const latency = readings.find(({ family }) => family.name === LIVE_FIGURES.latency);
  const bounds = latency?.family.buckets ?? [];
  const counts = [...bounds, Number.POSITIVE_INFINITY].map((_, at) =>
    (latency?.cells ?? []).reduce((total, { value }) => total + ((value as number[])[at] ?? 0), 0),
  );
  const rowsOf = new Map(
    cellsIn(readings, LIVE_FIGURES.runtimeRows).map(({ labels: [, id = ""], value }) => [id, value as number]),
  );
  const trials = trialFiguresIn(readings);
  const trialOf = (model: ModelIdentity) => {
    const isOf = ({ name, version }: TrialFigures) => name === model.name && version === model.version;
    const { reasked, shadow } = trials.find(isOf) ?? unaskedTrial(model);
    return { reasked, shadow };
  };
  const sum = (name: string) => cellsIn(readings, name).reduce((total, { value }) => total + (value as number), 0);
  return {
    at,
    predictions: {
      answered: statistics.reduce((total, { stages }) => total + stages.success.count, 0),
      failed: statistics.reduce((total, { stages }) => total + stages.fail.count, 0),
      rows: statistics.reduce((total, { inferences }) => total + inferences, 0),
      batches: sum("slipway_model_executions_total"),
      inFlight: sum(LIVE_FIGURES.inFlight),
      rowsInFlight: sum(LIVE_FIGURES.runtimeRows),
    },
    latency: { bounds, counts },
    runtimes: router.runtimes.map(({ id, group, provider, providerNote, rows }) => ({
      id,
      group,
      provider,
      note: providerNote,
      rowsInFlight: rowsOf.get(id) ?? rows,
    })),
    models: router.models.map(({ model, live, trial }) => {
      const own = statistics.find(({ name, version }) => name === model.name && version === model.version);
      return {
        ...model,
        live,
        answered: own?.stages.success.count ?? 0,
        failed: own?.stages.fail.count ?? 0,
        rows: own?.inferences ?? 0,
        trial: trial && { ...trial, ...trialOf(model) },
      };
    }),
  };
}

/** A job in a few words. */
interface LiveJob {
  id: string;
  kind: JobReport["kind"];
  state: JobReport["state"];
  created: string | undefined;
  /** The step that is worked on, of a job that has several. */
  step: string | undefined;
  done: number | undefined;
  total: number | undefined;
  reason: string | undefined;
}

/** The newest training, epoch by epoch. */
interface LiveTraining {
  id: string;
  state: JobReport["state"];
  /** Planned ones; an early stop ends before. */
  epochs: number;
  points: Omit<Epoch, "epochs">[];
}

/** The jobs that the caller may see. */
export interface LiveJobs {
  queues: QueueLoad[];
  /** Newest first. */
  jobs: LiveJob[];
  training: LiveTraining | undefined;
}

const SHOWN_JOBS = 8;
const SHOWN_EPOCHS = 200;

/** What the queues hold, and the newest jobs of this owner or of all. Rejects while the queues' server is away. */
export async function liveJobs(
  jobs: Pick<JobQueue, "loads" | "list">,
  curveOf: ReturnType<typeof trainingCurves>,
  owner: string | undefined,
): Promise<LiveJobs> {
  const whose = owner === undefined ? {} : { owner };
  const [queues, newest, trainings] = await Promise.all([
    jobs.loads(),
    jobs.list({ ...whose, limit: SHOWN_JOBS }),
    jobs.list({ ...whose, kind: "train", limit: 4 }),
  ]);
  const training = trainings.jobs.find(({ state }) => state === "active") ?? trainings.jobs[0];
  return { queues, jobs: newest.jobs.map(inShort), training: training && (await curved(training, curveOf)) };
}

function inShort({ id, kind, state, created, progress, steps, reason }: JobReport): LiveJob {
  const step = steps?.find((one) => one.state === "active")?.step;
  return { id, kind, state, created, step, done: progress?.done, total: progress?.total, reason };
}

async function curved({ id, state }: JobReport, curveOf: ReturnType<typeof trainingCurves>): Promise<LiveTraining> {
  const epochs = await curveOf(id);
  const points = thinned(epochs, SHOWN_EPOCHS).map(({ epochs: _, ...point }) => point);
  return { id, state, epochs: epochs.at(-1)?.epochs ?? 0, points };
}

/** Everything that the live page shows. */
export interface LiveSnapshot extends LiveFigures {
  /** Null on a host without a queue, and while the queue does not answer; `workNote` says why. */
  work: LiveJobs | null;
  workNote?: string;
}
