import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { describeWorker } from "../../workers/description.ts";
import { inventoryOf, type WorkerView } from "../../workers/inventory.ts";
import {
  type HttpWorker,
  httpWorkerId,
  httpWorkerSchema,
  type WorkerRegistration,
} from "../../workers/registration.ts";
import type { Workers } from "../../workers/workers.ts";
import { HttpError } from "../errors.ts";
import { changed, requireRegistry } from "./worker-errors.ts";

const tags = ["workers"];
const time = z.string().optional();
const view = z
  .object({
    id: z.string(),
    kind: z.enum(["runtime", "http"]),
    origin: z.enum(["host", "itself", "admin"]),
    state: z.enum(["passing", "failing", "draining"]),
    reason: z.string().optional(),
    address: z.string(),
    models: z.array(z.string()),
    group: z.string().optional(),
    weight: z.number().optional(),
    pure: z.boolean().optional(),
    token: z.boolean().optional().describe("whether there is one"),
    capabilities: z.record(z.string(), z.union([z.string(), z.number()])),
    inFlight: z.int().describe("from the process that answers: requests, of runtimes rows"),
    since: time,
    firstPass: time,
    lastPass: time,
    firstFail: time,
    lastFail: time,
    failures: z.int().optional(),
  })
  .meta({ id: "Worker" });

const { host, port, localId, models, weight, pure, capabilities } = httpWorkerSchema.shape;
/** An external worker as an admin, or the worker itself, gives it. What is left out is as by default; a token stays as it was. */
const registration = z
  .strictObject({
    host,
    port,
    local_worker_id: localId.default("1"),
    models,
    weight,
    pure,
    token: httpWorkerSchema.shape.token.unwrap().nullable().optional(),
    capabilities,
    ttlSeconds: z.number().min(1).max(3600).optional().describe("how long it counts as there unless it is put again"),
  })
  .meta({ id: "WorkerRegistration" });

const list = z.object({
  workers: z.array(view),
  registry: z.object({ state: z.enum(["answers", "away", "absent"]), since: time, reason: z.string().optional() }),
});
const schemas = {
  list: { summary: "All workers", tags, response: { 200: list } },
  find: {
    summary: "A worker, and what it says of itself",
    tags,
    response: { 200: view.extend({ describes: z.unknown().optional() }) },
  },
  put: { summary: "Registers or changes an external worker", tags, body: registration, response: { 200: view } },
  remove: { summary: "Forgets a worker", tags, response: { 200: z.object({ removed: z.string() }) } },
  drain: { summary: "Gives a worker nothing new", tags, response: { 200: view } },
  resume: { summary: "Gives a drained worker requests again", tags, response: { 200: view } },
};

interface WorkerParams {
  id: string;
}

/** `/admin/workers`: who computes for this host, in what state. */
export function workerRoutes(app: FastifyInstance, workers: Workers): void {
  const config = { role: "admin" } as const;

  app.get("/admin/workers", { config, schema: schemas.list }, () => ({
    workers: inventoryOf(workers),
    registry: registryState(workers),
  }));

  app.get<{ Params: WorkerParams }>("/admin/workers/:id", { config, schema: schemas.find }, async ({ params }) => {
    const shown = requireWorker(workers, params.id);
    const pooled = workers.pool.find(params.id);
    const describes = pooled && (await describeWorker(workers.caller, pooled.worker, workers.settings.connectMs));
    return { ...shown, ...(describes !== undefined && { describes }) };
  });

  type Put = { Body: z.output<typeof registration> };
  app.put<Put>("/admin/workers", { config, schema: schemas.put }, ({ body }) => put(body));
  app.put<Put & { Params: WorkerParams }>("/admin/workers/:id", { config, schema: schemas.put }, ({ params, body }) =>
    put(body, params.id),
  );

  app.delete<{ Params: WorkerParams }>("/admin/workers/:id", { config, schema: schemas.remove }, async ({ params }) => {
    const followed = requireRegistry(workers);
    const { id } = params;
    const shown = requireWorker(workers, id);
    const isKept = followed.follower.snapshot.records.some(({ worker, alive }) => worker.id === id && alive);
    if (shown.origin === "host" || (shown.kind === "runtime" && isKept)) {
      throw new HttpError(409, "WORKER_ALIVE", `${id} would be there again at once: stop it, or drain it`);
    }
    await changed(followed, followed.registry.remove(id));
    return { removed: id };
  });

  for (const [action, draining] of [
    ["drain", true],
    ["resume", false],
  ] as const) {
    app.post<{ Params: WorkerParams }>(
      `/admin/workers/:id/${action}`,
      { config, schema: schemas[action] },
      async ({ params }) => {
        const followed = requireRegistry(workers);
        requireWorker(workers, params.id);
        await changed(followed, followed.registry.setDraining(params.id, draining));
        return requireWorker(workers, params.id);
      },
    );
  }

  async function put(body: z.output<typeof registration>, wanted?: string): Promise<WorkerView> {
    const followed = requireRegistry(workers);
    const { local_worker_id: local, token, ttlSeconds, ...rest } = body;
    const id = httpWorkerId({ ...rest, localId: local });
    if (wanted !== undefined && wanted !== id) {
      throw new HttpError(400, "REQUEST_INVALID", `the id of this worker is ${id}`);
    }
    const refusal = await workers.guard.refusalOfHost(rest.host);
    if (refusal !== undefined) throw new HttpError(400, "ADDRESS_REFUSED", refusal);
    const change = (known: WorkerRegistration | undefined): HttpWorker => {
      if (known && known.kind !== "http") throw new HttpError(409, "WORKER_ALIVE", `${id} is a runtime`);
      const kept = token === undefined ? known?.token : (token ?? undefined);
      return httpWorkerSchema.parse({
        ...rest,
        kind: "http",
        id,
        localId: local,
        ...(kept !== undefined && { token: kept }),
      });
    };
    const { registry, follower } = followed;
    if (ttlSeconds === undefined) await changed(followed, registry.update(id, change));
    else {
      const known = follower.snapshot.records.find(({ worker }) => worker.id === id)?.worker;
      await changed(followed, registry.beat(change(known), ttlSeconds * 1000));
    }
    return requireWorker(workers, id);
  }
}

function requireWorker(workers: Workers, id: string): WorkerView {
  const shown = inventoryOf(workers).find((worker) => worker.id === id);
  if (shown) return shown;
  throw new HttpError(404, "WORKER_UNKNOWN", "there is no such worker");
}

function registryState({ followed }: Workers): z.output<typeof list>["registry"] {
  if (!followed) return { state: "absent" };
  const { absence } = followed.follower;
  return absence ? { state: "away", ...absence } : { state: "answers" };
}
