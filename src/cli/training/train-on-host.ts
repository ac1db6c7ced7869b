import { randomUUID } from "node:crypto";
import { z } from "zod";
import { messageOf, SlipwayError } from "../../common/errors.ts";
import { epochOf } from "../../serving/jobs/epoch-lines.ts";
import { readData } from "../../serving/training/data/csv.ts";
import { trainingSpecSchema } from "../../serving/training/spec.ts";
import { type Progress, printable, type Reporter } from "../ui/reporter.ts";
import { reportEpoch } from "./epochs.ts";
import { type HostJob, HostJobs } from "./host-jobs.ts";
import type { WantedTraining } from "./wanted.ts";

/** A training as a host is asked for it. */
interface HostTraining {
  /** The host's URL. */
  url: string;
  token: string | undefined;
  /** The CSV file with the rows, on this machine. */
  data: string;
  /** The digest of the host's model that the training goes on from. */
  parent: string | undefined;
  /** The name that the model is to serve under; undefined to end with the gate's verdict. */
  publish: string | undefined;
  /** Leave it to the host once it has it. */
  detach: boolean;
}

const digest = z.templateLiteral([z.literal("sha256:"), z.string()]);
const figures = { metrics: z.record(z.string(), z.number()), seconds: z.number() };
const resultSchema = z.union([
  z
    .object({ model: z.object({ name: z.string(), version: z.string(), digest }), ...figures })
    .transform((result) => ({ ...result, digest: result.model.digest })),
  z.object({ digest, ...figures }).transform((result) => ({ ...result, model: undefined })),
]);

/** What a host has trained. */
export interface TrainedOnHost {
  job: string;
  /** Absent for one that was left to the host. */
  trained?: z.output<typeof resultSchema>;
}

/**
 * Lets a host train, and follows it to the end. An interruption cancels the training.
 * @throws SlipwayError E_TRAINING_INVALID, E_TRAINING_FAILED, E_GATE_FAILED, E_AUTH_FAILED, E_MODEL_UNKNOWN, E_UNHEALTHY, E_TIMEOUT; the signal's reason
 */
export async function trainOnHost(
  { spec }: WantedTraining,
  { url, token, data, parent, publish, detach }: HostTraining,
  { reporter, signal }: { reporter: Reporter; signal: AbortSignal },
): Promise<TrainedOnHost> {
  const checked = trainingSpecSchema.safeParse(spec); // what is wrong with it can be said before the rows travel
  if (!checked.success) throw new SlipwayError("E_TRAINING_INVALID", z.prettifyError(checked.error));
  const body = {
    kind: "train",
    spec,
    data: { text: await readData({ path: data }) },
    ...(parent !== undefined && { parent }),
    ...(publish !== undefined && { publish: { name: publish } }),
  };
  const jobs = new HostJobs(url, token, signal);
  const { id } = await reporter.phase("submit", `hand the training to ${url}`, () => jobs.submit(body, randomUUID()));
  reporter.event({ type: "job", id });
  if (detach) return { job: id };
  const job = await reporter.phase("train", `train there, as job ${printable(id)}`, async (progress) => {
    try {
      await followTraining(jobs, id, reporter, progress);
      return requireCompleted(await jobs.find(id));
    } catch (error) {
      if (signal.aborted) await cancelled(jobs, id, progress);
      throw error;
    }
  });
  return { job: id, trained: resultSchema.parse(job.result) };
}

async function followTraining(jobs: HostJobs, id: string, reporter: Reporter, progress: Progress): Promise<void> {
  const told = new Map<string, string>();
  for await (const { event, data } of jobs.follow(id)) {
    if (event === "log") {
      const { line } = logSchema.parse(JSON.parse(data));
      const epoch = epochOf(line);
      if (epoch) reportEpoch(reporter, epoch);
      else showLine(line, progress);
    } else if (event === "state") {
      for (const { step, state } of stateSchema.parse(JSON.parse(data)).steps ?? []) {
        if (told.get(step) !== state && state !== "waiting") progress.detail(`${step}: ${state}`);
        told.set(step, state);
      }
    }
  }
}

const logSchema = z.object({ line: z.string() });
const stateSchema = z.object({ steps: z.array(z.object({ step: z.string(), state: z.string() })).optional() });

/** A line of the job's log: the platform's own words for everybody, a trainer's output for those who want all. */
function showLine(line: string, { note, detail }: Progress): void {
  const text = printable(line.replace(/^\d{4}-\d\d-\d\dT\S+ /, ""));
  if (/^(stdout|stderr): /.test(text)) detail(text);
  else note(text);
}

function requireCompleted(job: HostJob): HostJob {
  if (job.state === "completed") return job;
  const { state, steps, reason = state } = job;
  const failed = steps?.find((step) => step.state === "failed");
  const message = printable(reason);
  if (state === "cancelled") {
    throw new SlipwayError("E_TRAINING_FAILED", "the training was cancelled by somebody", {
      hint: "Run the command again.",
    });
  }
  if (reason === "deadline") throw new SlipwayError("E_TIMEOUT", "the training did not end within the job's deadline");
  if (failed?.step === "validate") {
    throw new SlipwayError("E_GATE_FAILED", message, {
      hint: "Train it better, as docs/how-to/train.md tells, or ask less of it.",
    });
  }
  throw new SlipwayError("E_TRAINING_FAILED", message);
}

async function cancelled(jobs: HostJobs, id: string, { note }: Progress): Promise<void> {
  try {
    await jobs.cancel(id);
    note("the training is cancelled");
  } catch (error) {
    note(`the training could not be cancelled: ${messageOf(error)}`);
  }
}
