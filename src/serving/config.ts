import { readFile } from "node:fs/promises";
import { z } from "zod";

const count = z.number().int().positive();

/** Where overload turns into a refusal. Every bound has a default that suits a small network on a small host. */
const servingLimits = z.object({
  /** Rows of one synchronous request; more is 413. */
  requestRows: count.default(4096),
  /** Rows of one job; more is 413. */
  jobRows: count.default(100_000),
  /** Jobs that wait; more is 503. */
  waitingJobs: count.default(1000),
  /** From a request's arrival to the runtime's answer, in milliseconds; longer is 504. */
  deadlineMs: count.default(5000),
  /** Rows that a frontend has under way at its runtime; more is 503. */
  inFlightRows: count.default(65_536),
  /** Rows that the runtime computes in one call. */
  batchRows: count.default(1024),
  /** Rows that wait in the runtime; more is refused. */
  queueRows: count.default(131_072),
  /** Threads that share the computation of a batch. */
  inferenceThreads: count.default(1),
});

/** What a host's serving processes read at start: `/etc/slipway/serving.json`, written by the bootstrap from the host's roles. */
export const servingConfig = z.object({
  /** Payload digest, shown by `GET /version`. */
  payload: z.string(),
  stack: z.string(),
  host: z.string(),
  generation: z.string(),
  frontend: z.object({ host: z.string(), port: z.number().int() }),
  /** Where the runtime process listens: a unix socket's path. */
  runtimeSocket: z.string(),
  /** Holds one folder per model digest (hex) and `current`, a symbolic link to the one that serves. */
  modelsDir: z.string(),
  /** The queue; without it the job routes answer 503. */
  queue: z.object({ host: z.string(), port: z.number().int(), passwordFile: z.string() }).optional(),
  limits: servingLimits.partial().optional(),
});

export type ServingConfig = z.infer<typeof servingConfig>;
export type ServingLimits = z.infer<typeof servingLimits>;

/** The configuration's limits, defaults filled in. */
export function limitsOf({ limits }: Pick<ServingConfig, "limits">): ServingLimits {
  return servingLimits.parse(limits ?? {});
}

/** Reads the configuration at `SLIPWAY_SERVING_CONFIG`, else at `/etc/slipway/serving.json`. Throws what reading or checking throws. */
export async function readServingConfig(env: NodeJS.ProcessEnv = process.env): Promise<ServingConfig> {
  const path = env.SLIPWAY_SERVING_CONFIG ?? "/etc/slipway/serving.json";
  return servingConfig.parse(JSON.parse(await readFile(path, "utf8")));
}
