import { z } from "zod";
import { askingIdentityFiles } from "../runtime/identity-files.ts";

const count = z.number().int().positive();

/** The workers' part of serving.json: all of it has defaults. Times in milliseconds unless their names say otherwise. */
export const workersConfig = z.object({
  /** Networks (`10.0.0.0/8`) that an external worker's address may lie in; by default loopback and the host's own private networks. */
  allowedNetworks: z.array(z.union([z.cidrv4(), z.cidrv6()])).optional(),
  /** For how long a worker that registered itself counts as there after its last heartbeat. */
  ttlMs: count.default(10_000),
  /** PEM files of who asks runtimes of other hosts, which registered themselves; without it those are not asked. */
  runtimeTls: askingIdentityFiles.optional(),
  /** Between two heartbeats of a runtime. */
  heartbeatMs: count.default(3000),
  /** From asking external workers to the answer, all attempts together; longer is 504. */
  deadlineMs: count.default(8000),
  /** For a connection to a worker. */
  connectMs: count.default(1000),
  /** Workers that one request is tried on. */
  attempts: count.default(3),
  /** Requests that one frontend process has under way at one worker; more go to others, or are 503. */
  inFlight: count.default(64),
  /** Bytes of a request's body, and of a worker's answer. */
  requestBytes: count.default(1024 * 1024),
  answerBytes: count.default(4 * 1024 * 1024),
  /** Failures in a row that take a worker out, and for how long: twice as long each time, up to the longest. */
  failures: count.default(3),
  firstPauseMs: count.default(1000),
  longestPauseMs: count.default(30_000),
  /** Active probes, by one process of all that share the registry. */
  probe: z
    .object({
      kind: z.enum(["tcp", "http"]).default("tcp"),
      /** Asked for by `http` probes; a status below 400 is a pass. */
      path: z.string().startsWith("/").default("/"),
      intervalMs: count.default(5000),
      timeoutMs: count.default(1000),
    })
    .prefault({}),
  /** Failed probes in a row that do not count yet. */
  ignoreFailCount: z.number().int().nonnegative().default(0),
  /** After so many hours a worker that is still down is told again. */
  alertPeriodHours: z.number().positive().default(1),
  /** Told of workers that go down and come back; `$name`s in the messages are replaced. */
  webhook: z.object({ url: z.url({ protocol: /^https?$/ }), tokenFile: z.string().optional() }).optional(),
  messages: z
    .object({
      down: z.string().default("worker $id ($models) is down: $reason"),
      up: z.string().default("worker $id ($models) is up again"),
    })
    .prefault({}),
});

export type WorkersSettings = z.output<typeof workersConfig>;
