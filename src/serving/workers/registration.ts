import { z } from "zod";
import { identitySchema } from "../models/registry.ts";

/** A worker's name: of whatever a URL's path carries without escapes. */
const workerIdSchema = z.string().regex(/^[A-Za-z0-9_.:-]{1,200}$/, "a worker's id has letters, digits and _ . : -");

/** An external model's name is the last part of its workers' URLs. */
export const modelIdSchema = z
  .string()
  .regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$/, "a model's id has up to 100 letters, digits and _ . -");

const labels = /^(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*$/;

/** An IP address or a name. */
export const hostSchema = z.union([z.ipv4(), z.ipv6(), z.string().max(253).regex(labels)], {
  error: "a host is an IP address or a name",
});

const aPort = "a port is a number from 1 to 65535";
export const portSchema = z.int(aPort).min(1, aPort).max(65_535, aPort);

/** Where a runtime is reached over the network. */
const runtimeAddress = z.object({ host: hostSchema, port: portSchema, tls: z.boolean() });

/** What a worker says it can do. */
const capabilities = z.object({
  /** Digest of its software. */
  version: z.string().max(200).optional(),
  provider: z.string().max(40).optional(),
  /** What computes: the name of the GPU or CPU. */
  device: z.string().max(200).optional(),
  onnxruntime: z.string().max(40).optional(),
  threads: z.int().positive().optional(),
  /** Rows that it computes in one call. */
  batchRows: z.int().positive().optional(),
});

/** A runtime that registered itself. */
const runtimeWorkerSchema = z.object({
  kind: z.literal("runtime"),
  id: workerIdSchema,
  address: runtimeAddress,
  group: z.string().max(100),
  models: z.array(identitySchema).max(1000),
  capabilities: capabilities.default({}),
});

/** A server of functions by HTTP: `POST http://host:port/<model>` with named arguments as JSON. */
export const httpWorkerSchema = z.object({
  kind: z.literal("http"),
  id: workerIdSchema,
  host: hostSchema,
  port: portSchema,
  /** Tells workers of one address apart, as the source system has it. */
  localId: z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/, "a local_worker_id has up to 64 letters, digits and _ . -"),
  models: z.array(modelIdSchema).min(1).max(1000),
  /** A worker of weight 2 gets twice as much as one of weight 1. */
  weight: z.number().positive().max(1000).default(1),
  /** Whether asking twice does no harm: a request whose end is unknown is asked of another worker then. */
  pure: z.boolean().default(true),
  /** Sent as `Authorization: Token …`; never shown. */
  token: z
    .string()
    .regex(/^[\x21-\x7e]{1,500}$/, "a token is printable ASCII without spaces")
    .optional(),
  capabilities: capabilities.default({}),
});

export const workerSchema = z.discriminatedUnion("kind", [runtimeWorkerSchema, httpWorkerSchema]);

export type RuntimeWorker = z.output<typeof runtimeWorkerSchema>;
export type HttpWorker = z.output<typeof httpWorkerSchema>;
/** What the registry knows a worker by. */
export type WorkerRegistration = RuntimeWorker | HttpWorker;

/** What an active probe, or the end of a heartbeat, says of a worker. Times as ISO 8601. */
export const healthSchema = z.object({
  state: z.enum(["passing", "failing"]),
  /** Since when it is in this state. */
  since: z.string(),
  firstPass: z.string().optional(),
  lastPass: z.string().optional(),
  firstFail: z.string().optional(),
  lastFail: z.string().optional(),
  /** Failed probes since the last that passed. */
  failures: z.number(),
  /** Why the last one failed. */
  reason: z.string().optional(),
  /** When it was last told that the worker is down. */
  alerted: z.string().optional(),
});

export type WorkerHealth = z.infer<typeof healthSchema>;

/** A worker as the registry has it. */
export interface WorkerRecord {
  worker: WorkerRegistration;
  /** Absent for one that stays until it is removed; false once the heartbeat of one that registered itself has ended. */
  alive?: boolean;
  draining: boolean;
  /** Absent while nobody has looked. */
  health?: WorkerHealth;
}

/** The source system's name for a worker. */
export function httpWorkerId({ host, port, localId }: Pick<HttpWorker, "host" | "port" | "localId">): string {
  return `${host}-${port}-${localId}`;
}
