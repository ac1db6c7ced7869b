import { z } from "zod";
import { digestOf } from "../../../common/digest.ts";
import { digestSchema as digest } from "../../../common/digest-schema.ts";
import { priorities } from "../../jobs/records.ts";
import type { JobTerms } from "../../jobs/requests.ts";
import { trainingSpecSchema } from "../../training/spec.ts";
import { HttpError } from "../errors.ts";

const modelName = z.string().min(1).max(200);

/** What every job may be asked with. */
const terms = {
  /** Jobs of a higher priority begin first. */
  priority: z.enum(Object.keys(priorities) as [keyof typeof priorities]).default("normal"),
  /** Seconds from when it can begin: a job that is not done then fails with `deadline`. */
  deadline: z.number().positive().optional(),
  /** Seconds before it can begin. */
  delay: z.number().nonnegative().default(0),
};

const predictBody = z.strictObject({
  kind: z.literal("predict").default("predict"),
  /** Checked against the model, row by row. */
  rows: z.unknown().optional(),
  model: modelName.optional(),
  ...terms,
});

const trainBody = z.strictObject({
  kind: z.literal("train"),
  spec: trainingSpecSchema,
  /** The rows to learn from, as CSV. */
  data: z.strictObject({ text: z.string().min(1) }),
  /** The model that the training goes on from. */
  parent: digest.optional(),
  /** The name that the model gets in the registry; left out, nothing is published. */
  publish: z.strictObject({ name: modelName }).optional(),
  ...terms,
});

/** The body of `POST /v1/jobs` as JSON; one without a kind is a prediction. */
export const jobBody = z.union([trainBody, predictBody]);

/** The query of `POST /v1/jobs` with a CSV file as its body. */
export const csvQuery = z.strictObject({
  model: modelName.optional(),
  priority: terms.priority,
  deadline: z.coerce.number().positive().optional(),
  delay: z.coerce.number().nonnegative().default(0),
});

/** When a scheduled job comes. */
const rhythmSchema = z.union([
  z.strictObject({
    everyS: z
      .number()
      .int()
      .min(1)
      .max(366 * 24 * 3600),
  }),
  z.strictObject({ cron: z.string().min(1).max(200) }),
]);

/** The body of `PUT /v1/schedules/:name`. */
export const scheduleBody = z.strictObject({ rhythm: rhythmSchema, job: predictBody });

export type JobBody = z.output<typeof jobBody>;

const DAY_S = 24 * 3600;

/** A job's terms, with what the host sets where the caller leaves it open. Throws HttpError 400. */
export function termsOf(
  { priority, deadline, delay }: Pick<JobBody, "priority" | "deadline" | "delay">,
  keepFailedS: number,
  request: string,
): JobTerms {
  const deadlineS = deadline ?? Math.min(DAY_S, keepFailedS);
  // what a job begins with is kept for so long, and no longer
  if (delay + deadlineS > keepFailedS) {
    throw new HttpError(400, "JOB_INVALID", `delay and deadline are at most ${keepFailedS} seconds together`);
  }
  return { priority, deadlineS, delayS: delay, digest: digestOf(request) };
}

/** Parses what came with a request. Throws HttpError 400 naming the first thing that is wrong. */
export function parsedJob<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new HttpError(400, "JOB_INVALID", z.prettifyError(result.error));
}

/** The body of a job; which of its kinds' schemas speaks is what it says it is. */
export function parsedJobBody(body: unknown): JobBody {
  const kind = typeof body === "object" && body !== null && "kind" in body ? body.kind : "predict";
  if (kind !== "train" && kind !== "predict") {
    throw new HttpError(400, "JOB_INVALID", 'kind is "predict" or "train"');
  }
  return kind === "train" ? parsedJob(trainBody, body) : parsedJob(predictBody, body);
}
