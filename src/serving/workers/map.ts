import { z } from "zod";
import {
  type HttpWorker,
  hostSchema,
  httpWorkerId,
  httpWorkerSchema,
  modelIdSchema,
  portSchema,
} from "./registration.ts";

/** The one type of models that there is; the source system has no other either. */
export const MODEL_TYPE = "AI";

const entrySchema = z.strictObject({
  host: hostSchema,
  port: z.union(
    [
      portSchema,
      z
        .string()
        .regex(/^\d{1,5}$/)
        .transform(Number)
        .pipe(portSchema),
    ],
    {
      error: "a port is a number from 1 to 65535",
    },
  ),
  local_worker_id: z.union([z.string(), z.int().nonnegative()]).transform(String).pipe(httpWorkerSchema.shape.localId),
  weight: httpWorkerSchema.shape.weight.removeDefault().optional(),
  pure: z.boolean().optional(),
});

const onlyType = `the only type of models is ${MODEL_TYPE}`;

/** The source system's form of who serves what: `{type: {model: [{host, port, local_worker_id}]}}`. */
export const workersMapSchema = z.strictObject(
  {
    [MODEL_TYPE]: z.record(modelIdSchema, z.array(entrySchema).min(1, "a model needs a worker").max(1000), {
      error: ({ input }) => (input === undefined ? onlyType : undefined),
    }),
  },
  { error: ({ code }) => (code === "unrecognized_keys" ? onlyType : undefined) },
);

/** What a body may hold. */
export type WorkersMap = z.input<typeof workersMapSchema>;

/** A worker of a map: what it leaves open stays as it is where the worker is known. */
export type MappedWorker = Pick<HttpWorker, "id" | "host" | "port" | "localId" | "models"> &
  Partial<Pick<HttpWorker, "weight" | "pure">>;

/** The workers in a map, each once, with all of its models there. */
export function workersInMap(map: z.output<typeof workersMapSchema>): MappedWorker[] {
  const workers = new Map<string, MappedWorker>();
  for (const [model, entries] of Object.entries(map[MODEL_TYPE] ?? {})) {
    for (const { host, port, local_worker_id: localId, weight, pure } of entries) {
      const id = httpWorkerId({ host, port, localId });
      const worker = workers.get(id) ?? { id, host, port, localId, models: [] };
      workers.set(id, worker);
      if (!worker.models.includes(model)) worker.models.push(model);
      if (weight !== undefined) worker.weight = weight;
      if (pure !== undefined) worker.pure = pure;
    }
  }
  return [...workers.values()];
}

/** A known worker with what a map says of it: its models are added to those that it has, none is taken away. */
export function merged(known: HttpWorker | undefined, mapped: MappedWorker): HttpWorker {
  const models = [...new Set([...(known?.models ?? []), ...mapped.models])];
  return httpWorkerSchema.parse({ ...known, ...mapped, kind: "http", models });
}

/** The map of some workers, which says the same when it is put again. */
export function mapOf(workers: readonly HttpWorker[]): WorkersMap {
  const models = new Map<string, WorkersMap[typeof MODEL_TYPE][string]>();
  for (const { host, port, localId, weight, pure, models: names } of workers) {
    for (const name of names) {
      const entry = { host, port, local_worker_id: localId, ...(weight !== 1 && { weight }), ...(!pure && { pure }) };
      const entries = models.get(name);
      if (entries) entries.push(entry);
      else models.set(name, [entry]);
    }
  }
  return { [MODEL_TYPE]: Object.fromEntries(models) };
}
