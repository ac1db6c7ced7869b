import { randomUUID } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { parseSchema } from "../http/json-schema-words.ts";
import { isoMicrosNoZone, isoSeconds } from "../http/time.ts";
import { demandAdmin } from "./action.ts";
import { type Aggregate, aggregateTable } from "./aggregate-records.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import { host } from "./host.ts";
import { hostReference, name, nullableMetadata, zoneName } from "./schema-types.ts";

const zone = zoneName.optional();
const createBody = z.strictObject({ aggregate: z.strictObject({ name, availability_zone: zone }) });
const updateBody = z.strictObject({
  aggregate: z.strictObject({ name: name.optional(), availability_zone: zone }).superRefine((asked, { addIssue }) => {
    if (Object.keys(asked).length === 0) addIssue("{} is not valid under any of the given schemas");
  }),
});
const hostBody = z.strictObject({ host: hostReference });
const actionBodies = {
  add_host: z.strictObject({ add_host: hostBody }),
  remove_host: z.strictObject({ remove_host: hostBody }),
  set_metadata: z.strictObject({ set_metadata: z.strictObject({ metadata: nullableMetadata }) }),
};

interface One {
  Params: { id: string };
}

/** `/os-aggregates`, for administrators: groups of hosts, and zones by them. */
export function aggregateRoutes(app: FastifyInstance, context: ComputeContext): void {
  const { store } = context;
  const table = aggregateTable(store);
  const found = (id: string): Aggregate => {
    if (!/^-?\d+$/.test(id)) throw nova.badRequest("Invalid input received: id must be an integer");
    const aggregate = table.get(id);
    if (aggregate === undefined) throw new ApiError(404, `Aggregate ${id} could not be found.`);
    return aggregate;
  };
  const demandName = (called: string) => {
    if (table.find((other) => other.name === called) !== undefined) {
      throw new ApiError(409, `Aggregate ${called} already exists.`);
    }
  };
  const change = (aggregate: Aggregate, fields: Partial<Aggregate>) =>
    table.put({ ...aggregate, ...fields, updatedAt: isoSeconds() });
  const policy = (action: string) => `os_compute_api:os-aggregates:${action}`;

  app.get("/os-aggregates", ({ scope, microversion }) => {
    demandAdmin(scope, policy("index"));
    return { aggregates: table.list().map((aggregate) => view(aggregate, microversion)) };
  });
  app.post("/os-aggregates", ({ scope, body, microversion }) => {
    const { aggregate: asked } = parseSchema(createBody, body ?? null);
    demandAdmin(scope, policy("create"));
    const made = store.transaction(() => {
      demandName(asked.name);
      const number = Number(store.setting("aggregates-made") ?? 0) + 1;
      store.setSetting("aggregates-made", String(number));
      return table.put({
        id: String(number),
        uuid: randomUUID(),
        name: asked.name,
        hosts: [],
        metadata: asked.availability_zone ? { availability_zone: asked.availability_zone } : {},
        createdAt: isoSeconds(),
        updatedAt: null,
      });
    });
    const { hosts: _hosts, metadata: _metadata, ...shown } = view(made, microversion);
    return { aggregate: shown };
  });
  app.get<One>("/os-aggregates/:id", ({ scope, params, microversion }) => {
    demandAdmin(scope, policy("show"));
    return { aggregate: view(found(params.id), microversion) };
  });
  app.put<One>("/os-aggregates/:id", ({ scope, params, body, microversion }) => {
    const { aggregate: asked } = parseSchema(updateBody, body ?? null);
    demandAdmin(scope, policy("update"));
    const changed = store.transaction(() => {
      const aggregate = found(params.id);
      if (asked.name !== undefined && asked.name !== aggregate.name) demandName(asked.name);
      const { availability_zone: former, ...rest } = aggregate.metadata;
      const next = asked.availability_zone === undefined ? former : asked.availability_zone;
      if (next !== former) demandEmpty(context, aggregate, "update aggregate");
      const metadata: Record<string, string> = next ? { ...rest, availability_zone: next } : rest;
      return change(aggregate, { name: asked.name ?? aggregate.name, metadata });
    });
    return { aggregate: view(changed, microversion) };
  });
  app.delete<One>("/os-aggregates/:id", ({ scope, params }, reply) => {
    demandAdmin(scope, policy("delete"));
    store.transaction(() => {
      const aggregate = found(params.id);
      if (aggregate.hosts.length > 0) {
        throw nova.badRequest(`Cannot remove host from aggregate ${params.id}. Reason: Host aggregate is not empty.`);
      }
      table.delete(params.id);
    });
    return reply.code(200).send();
  });

  app.post<One>("/os-aggregates/:id/action", ({ scope, params, body, microversion }) => {
    const [key = ""] = Object.keys((body as object | null) ?? {});
    if (!Object.hasOwn(actionBodies, key)) throw nova.noSuchAction(key);
    const act = key as keyof typeof actionBodies;
    const asked = parseSchema(actionBodies[act] as z.ZodType<Asked>, body);
    demandAdmin(scope, policy(act));
    const changed = store.transaction(() => {
      const aggregate = found(params.id);
      if (asked.add_host !== undefined) return addHost(aggregate, asked.add_host.host);
      if (asked.remove_host !== undefined) return removeHost(aggregate, asked.remove_host.host);
      const labelled = setMetadata(aggregate, asked.set_metadata?.metadata ?? {});
      return { ...labelled, updatedAt: isoSeconds() }; // told, and not kept
    });
    return { aggregate: view(changed, microversion) };
  });

  function addHost(aggregate: Aggregate, called: string): Aggregate {
    if (called !== host.name) throw new ApiError(404, `Compute host ${called} could not be found.`);
    if (aggregate.hosts.includes(called)) {
      throw new ApiError(409, `Aggregate ${aggregate.id} already has host ${called}.`);
    }
    const own = aggregate.metadata.availability_zone;
    const zones = table
      .list(({ hosts }) => hosts.includes(called))
      .flatMap(({ metadata }) => metadata.availability_zone ?? []);
    if (own !== undefined && zones.some((other) => other !== own)) {
      throw new ApiError(
        409,
        `Cannot add host to aggregate ${aggregate.id}. Reason: One or more hosts already in availability zone(s) ${[...new Set(zones)]}.`,
      );
    }
    return change(aggregate, { hosts: [...aggregate.hosts, called] });
  }

  function removeHost(aggregate: Aggregate, called: string): Aggregate {
    if (!aggregate.hosts.includes(called)) {
      throw new ApiError(404, `Cannot remove host ${called} in aggregate ${aggregate.id}`);
    }
    return change(aggregate, { hosts: aggregate.hosts.filter((other) => other !== called) });
  }

  function setMetadata(aggregate: Aggregate, asked: Record<string, string | null>): Aggregate {
    const next = { ...aggregate.metadata, ...asked };
    const kept = Object.entries(next).filter((entry): entry is [string, string] => entry[1] !== null);
    if (next.availability_zone !== aggregate.metadata.availability_zone) {
      demandEmpty(context, aggregate, "update metadata of aggregate");
    }
    return table.put({ ...aggregate, metadata: Object.fromEntries(kept) });
  }
}

interface Asked {
  add_host?: { host: string };
  remove_host?: { host: string };
  set_metadata?: { metadata: Record<string, string | null> };
}

/** A zone is not taken from under servers. @throws ApiError 400 */
function demandEmpty({ servers }: ComputeContext, { id, hosts }: Aggregate, what: string): void {
  if (hosts.length === 0 || servers.list().length === 0) return;
  throw nova.badRequest(`Cannot ${what} ${id}. Reason: One or more hosts contain instances in this zone.`);
}

function view(aggregate: Aggregate, microversion: number): Record<string, unknown> {
  const { id, uuid, name: called, hosts, metadata, createdAt, updatedAt } = aggregate;
  return {
    id: Number(id),
    ...(microversion >= 41 ? { uuid } : {}),
    name: called,
    hosts,
    metadata,
    created_at: isoMicrosNoZone(createdAt),
    updated_at: updatedAt === null ? null : isoMicrosNoZone(updatedAt),
    deleted_at: null,
    deleted: false,
    availability_zone: metadata.availability_zone ?? null,
  };
}
