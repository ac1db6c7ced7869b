import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { entryOf } from "../common/maps.ts";
import { aiEngineConfig } from "./aiengine/settings.ts";
import { frontendConfig } from "./frontend/config.ts";
import { askingIdentityFiles, identityFiles } from "./runtime/identity-files.ts";
import { externalTrainerSchema } from "./training/contract.ts";
import { workersConfig } from "./workers/settings.ts";

const count = z.number().int().positive();

/** Where overload turns into a refusal. Every bound has a default that suits a small network on a small host. */
const servingLimits = z.object({
  /** Rows of one synchronous request; more is 413. */
  requestRows: count.default(4096),
  /** Rows of one job; more is 413. */
  jobRows: count.default(100_000),
  /** Jobs that wait in a queue; more is 503. */
  waitingJobs: count.default(1000),
  /** Bytes of files that wait for jobs or are their results; more is 503. */
  spoolBytes: count.default(4 * 1024 ** 3),
  /** Prediction jobs that a worker has under way at a time. */
  predictionJobs: count.default(2),
  /** Trainings that a worker has under way at a time. */
  trainingJobs: count.default(1),
  /** Trainings that begin in a minute, at most. */
  trainingsPerMinute: count.default(60),
  /** Memory for the JavaScript of one job's process, in MiB; a job that needs more ends its process and fails. */
  jobHeapMiB: count.default(512),
  /** Clients that one frontend process sends jobs' events to; more is 503. */
  eventClients: count.default(200),
  /** From a request's arrival to the runtime's answer, in milliseconds; longer is 504. */
  deadlineMs: count.default(5000),
  /** Rows that a frontend has under way at its runtime; more is 503. */
  inFlightRows: count.default(65_536),
  /** Rows that the runtime computes in one call. */
  batchRows: count.default(1024),
  /** Rows that wait in the runtime; more is refused. */
  queueRows: count.default(131_072),
});

/** Runtime processes that serve the same models. */
const runtimeGroup = z.object({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,30}$/),
  /** How many there are. With two, one that is killed costs no request. */
  replicas: count.max(64).default(2),
  /** The models that they serve, by name; without it all that no other group names. */
  models: z.array(z.string()).optional(),
  /** `auto` takes CUDA where it works, `cuda` fails to start where it does not. */
  device: z.enum(["auto", "cpu", "cuda"]).default("auto"),
  /** CUDA devices, one replica after the other gets the next. */
  deviceIds: z.array(z.number().int().nonnegative()).min(1).default([0]),
  /** Threads that share the computation of a batch. */
  threads: count.default(1),
  /** Where the runtimes listen besides their sockets, one replica after the other gets the next port; beyond loopback with TLS alone. */
  tcp: z
    .object({
      host: z.string(),
      port: z.number().int().min(1).max(65_535),
      /** Paths of PEM files; peers must have a certificate of the same authority. */
      tls: identityFiles.optional(),
    })
    .optional(),
  /** When a runtime makes room for a fresh process; never while no other of its group answers. */
  recycle: z
    .object({
      /** Frames that it has answered. */
      requests: count.optional(),
      /** Memory that it holds. */
      memoryMiB: count.optional(),
      /** The same, in multiples of what it held when it was ready. */
      growth: z.number().min(1.2).optional(),
    })
    .optional(),
});

/** What differs for one model from what holds for all. */
const modelSettings = z.object({
  /** Whether questions go by way of the queue's server, so that what was taken outlasts every process; needs a queue that writes at once. */
  durable: z.boolean().default(false),
  // without the defaults: what is not told here is as for all
  ...z.object({ requestRows: count, deadlineMs: count, batchRows: count, queueRows: count }).partial().shape,
  /** Of a function, in place of what its module says. */
  function: z
    .object({ timeoutMs: count, memoryMiB: count.min(16), concurrency: count.max(1024) })
    .partial()
    .optional(),
});

/** The gRPC interface. */
const grpcConfig = z.object({
  /** Where it listens; where the frontend does unless told otherwise. */
  host: z.string().optional(),
  port: z.number().int(),
  /** Calls that one connection has under way. */
  maxStreams: count.default(1024),
});

const durableSettings = z.object({
  /** Frames of a model that are under way at a time; more is 503. */
  streamFrames: count.default(2000),
  /** How long the answer for an `Idempotency-Key` is kept, in seconds. */
  keepAnswersS: count.default(3600),
  /** A frame that no runtime has worked at for so long is taken over by another, in milliseconds. */
  claimMs: count.min(100).default(500),
});

const jobsConfig = z.object({
  /** Shared by frontend and worker. */
  spoolDir: z.string().default("/var/lib/slipway/spool"),
  /** Seconds for which finished jobs and their results are kept. */
  keepS: count.default(3600),
  /** Seconds for which failed jobs and dead letters are kept, and what they would be done again with. */
  keepFailedS: count.default(7 * 24 * 3600),
  /** Seconds between two looks at what is to be swept. */
  sweepS: count.default(60),
  /** Seconds between two self-checks of the model that serves; 0 for none. */
  selfCheckS: z.number().int().nonnegative().default(60),
  /** Milliseconds for which a worker holds a job without renewing that: a shorter pause of its machine costs the job nothing. */
  lockMs: count.min(1000).default(5000),
  /** Milliseconds after which a client that follows a job hears that it is still connected. */
  heartbeatMs: count.default(15_000),
});

/** What a host's serving processes read at start: `/etc/slipway/serving.json`, written by the bootstrap from the host's roles. */
export const servingConfig = z.object({
  /** Payload digest, shown by `GET /version`. */
  payload: z.string(),
  stack: z.string(),
  host: z.string(),
  generation: z.string(),
  frontend: frontendConfig,
  /** Without it no gRPC is served. */
  grpc: grpcConfig.optional(),
  /** Without it there is no listener for openGauss. */
  aiengine: aiEngineConfig.optional(),
  /** Holds the unix sockets of the runtime processes. */
  runtimeDir: z.string(),
  runtimes: z
    .array(runtimeGroup)
    .min(1)
    .default(() => [runtimeGroup.parse({ name: "default" })]),
  /** Runtimes of other hosts, asked like the host's own. */
  remoteRuntimes: z
    .array(
      z.object({
        host: z.string(),
        port: z.number().int().min(1).max(65_535),
        /** Needed for a host that is not this one. */
        tls: askingIdentityFiles.optional(),
      }),
    )
    .default([]),
  /** Holds one folder per model digest (hex) and `registry.json`, which tells what serves. */
  modelsDir: z.string(),
  /** The queue; without it the job routes answer 503. */
  queue: z
    .object({
      host: z.string(),
      port: z.number().int(),
      passwordFile: z.string(),
      /** What all of the installation's keys begin with, where several share a server. */
      prefix: z
        .string()
        .regex(/^[A-Za-z0-9_-]{1,40}$/)
        .default("bull"),
    })
    .optional(),
  /** Jobs: where their files lie, and which come by themselves. */
  jobs: jobsConfig.prefault({}),
  /** Commands that train, by the names under which trainings ask for them. */
  trainers: z.record(z.string().min(1).max(100), externalTrainerSchema).default({}),
  /** What the host's agent tells of releases. */
  releases: z
    .object({
      statusFile: z.string().default("/var/lib/slipway/releases/current.json"),
      historyFile: z.string().default("/var/lib/slipway/releases.jsonl"),
    })
    .prefault({}),
  limits: servingLimits.partial().optional(),
  /** Of the models that are durable. */
  durable: durableSettings.partial().optional(),
  /** By the model's name. */
  models: z.record(z.string(), modelSettings).optional(),
  /** Workers on other hosts, and external ones; see docs/reference/workers.md. */
  workers: workersConfig.prefault({}),
});

/**
 * What a stack's configuration may say of its hosts' serving processes: serving.json's keys but those that say where things lie on a
 * host, which the host knows itself.
 */
export const servingSettings = servingConfig
  .pick({ limits: true, durable: true, models: true, trainers: true, workers: true })
  .extend({
    frontend: frontendConfig.omit({ host: true, port: true, tls: true, tokensFile: true, stateDir: true }),
    grpc: grpcConfig.omit({ host: true }),
    runtimes: z.array(runtimeGroup.omit({ tcp: true })).min(1),
    jobs: jobsConfig.omit({ spoolDir: true }),
  })
  .partial();

/** {@link servingSettings} as they are written: defaults may be left out. */
export type ServingSettings = z.input<typeof servingSettings>;

export type ServingConfig = z.infer<typeof servingConfig>;
/** What is written into the file: defaults may be left out. */
export type ServingConfigFile = z.input<typeof servingConfig>;
export type RuntimeGroup = ServingConfig["runtimes"][number];
export type ServingLimits = z.infer<typeof servingLimits>;

/** The configuration's limits, defaults filled in. */
export function limitsOf({ limits }: Pick<ServingConfig, "limits">): ServingLimits {
  return servingLimits.parse(limits ?? {});
}

const kept = new WeakMap<object, Map<string, ServingLimits>>();

/** The limits of a model of this name. Cheap to ask again of the same configuration. */
export function modelLimitsOf(config: Pick<ServingConfig, "limits" | "models">, model: string): ServingLimits {
  const known = entryOf(kept, config, () => new Map<string, ServingLimits>());
  const own = modelSettingsOf(config, model);
  const key = own ? model : ""; // names come from requests: no more of them are kept than are configured
  return entryOf(known, key, () => servingLimits.parse({ ...config.limits, ...own }));
}

/** What is configured for a model of this name. */
export function modelSettingsOf({ models }: Pick<ServingConfig, "models">, model: string) {
  return models && Object.hasOwn(models, model) ? models[model] : undefined;
}

/** The settings of durable models, defaults filled in. */
export function durableSettingsOf({ durable }: Pick<ServingConfig, "durable">): z.output<typeof durableSettings> {
  return durableSettings.parse(durable ?? {});
}

/** The names of the models that are durable. */
export function durableModels({ models }: Pick<ServingConfig, "models">): string[] {
  return Object.entries(models ?? {}).flatMap(([name, { durable }]) => (durable ? [name] : []));
}

/** The longest that a question to any model may take, in milliseconds. */
export function longestDeadlineOf(config: Pick<ServingConfig, "limits" | "models">): number {
  const own = Object.values(config.models ?? {}).flatMap(({ deadlineMs }) => deadlineMs ?? []);
  return Math.max(limitsOf(config).deadlineMs, ...own);
}

/** Path of the unix socket of a group's runtime; replicas are counted from 0. */
export function runtimeSocket(
  { runtimeDir }: Pick<ServingConfig, "runtimeDir">,
  group: string,
  replica: number,
): string {
  return join(runtimeDir, `${group}-${replica}.sock`);
}

/** The sockets of all runtimes, in the order in which they are preferred. */
export function runtimeSockets(config: Pick<ServingConfig, "runtimeDir" | "runtimes">): string[] {
  return config.runtimes.flatMap(({ name, replicas }) =>
    Array.from({ length: replicas }, (_, replica) => runtimeSocket(config, name, replica)),
  );
}

/** The host's runtimes as workers: their ids, and where they are asked. */
export function ownRuntimes(
  config: Pick<ServingConfig, "host" | "runtimeDir" | "runtimes">,
): { id: string; address: string }[] {
  return config.runtimes.flatMap(({ name, replicas }) =>
    Array.from({ length: replicas }, (_, replica) => ({
      id: runtimeId(config, name, replica),
      address: runtimeSocket(config, name, replica),
    })),
  );
}

/** The id of a group's runtime among all hosts' workers. */
export function runtimeId({ host }: Pick<ServingConfig, "host">, group: string, replica: number): string {
  return `${host}-${group}-${replica}`;
}

/** Whether a group's runtimes serve a model of this name. */
export function servesModel(
  { runtimes }: Pick<ServingConfig, "runtimes">,
  group: RuntimeGroup,
  model: string,
): boolean {
  if (group.models) return group.models.includes(model);
  return !runtimes.some(({ models }) => models?.includes(model));
}

/** Reads the configuration at `SLIPWAY_SERVING_CONFIG`, else at `/etc/slipway/serving.json`. Throws what reading or checking throws. */
export async function readServingConfig(env: NodeJS.ProcessEnv = process.env): Promise<ServingConfig> {
  const path = env.SLIPWAY_SERVING_CONFIG ?? "/etc/slipway/serving.json";
  return servingConfig.parse(JSON.parse(await readFile(path, "utf8")));
}
