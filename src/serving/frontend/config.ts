import { availableParallelism } from "node:os";
import { z } from "zod";
import { serverTls } from "../tls/settings.ts";

const count = z.number().int().positive();

const rateLimit = z.object({ requests: count, seconds: count });

/** How many requests one caller may make within how many seconds. */
export type RateLimit = z.infer<typeof rateLimit>;

const frontendSettings = z.object({
  host: z.string(),
  port: z.number().int(),
  /** PEM files; with them HTTP and gRPC are spoken over TLS alone. */
  tls: serverTls.optional(),
  /** Processes that share the port; one less than there are cores unless told otherwise. */
  processes: count.optional(),
  /** The tokens and their roles (docs/reference/serving-api.md); without it everybody may read and predict, nobody may change anything. */
  tokensFile: z.string().optional(),
  /** Where figures that outlast a restart are kept; without it they do not. */
  stateDir: z.string().optional(),
  /** Addresses (or networks, as `10.0.0.0/8`) of proxies whose `X-Forwarded-…` headers are believed; none by default. */
  trustedProxies: z.array(z.string()).default([]),
  /** Origins whose pages' scripts may ask, as `https://app.example`; none by default. */
  corsOrigins: z.array(z.url({ protocol: /^https?$/ })).default([]),
  /** Requests that one caller (token, else address) may make; not bounded by default. */
  rateLimit: rateLimit.optional(),
  /** Requests that a process has under way; more is 503. */
  requestsInFlight: count.default(4096),
  /** Bytes of a body; more is 413. */
  bodyBytes: count.default(2 * 1024 * 1024),
  /** Bytes of a job's body. */
  jobBodyBytes: count.default(32 * 1024 * 1024),
  /** Bytes of the body of a request for inference, unpacked. */
  inferBodyBytes: count.default(32 * 1024 * 1024),
  /** Bytes of a table that is streamed through. */
  csvBytes: count.default(1024 ** 3),
  /** Within which a request must have arrived whole; a table that is streamed through, its next piece. Longer is 408. */
  requestTimeoutMs: count.default(15_000),
  /** How long clients are told to wait for an answer. */
  clientTimeoutMs: count.default(30_000),
  /** Within which all requests are answered when the process is told to stop. */
  drainMs: count.default(10_000),
});

/** The frontend's part of serving.json. Only where it listens has no default. */
export const frontendConfig = frontendSettings.partial().required({ host: true, port: true });

export type FrontendSettings = z.output<typeof frontendSettings>;

/** The frontend's settings, defaults filled in. */
export function frontendSettingsOf({ frontend }: { frontend: z.input<typeof frontendConfig> }): FrontendSettings {
  return frontendSettings.parse(frontend);
}

/** How many processes a frontend has: at least one, and one core is left to the runtime. */
export function processesOf(
  { processes }: Pick<FrontendSettings, "processes">,
  cores = availableParallelism(),
): number {
  return processes ?? Math.max(1, cores - 1);
}
