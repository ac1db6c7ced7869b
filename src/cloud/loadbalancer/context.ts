import { randomUUID } from "node:crypto";
import { isAdmin, owns, type Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import type { NetworkTables } from "../network/records.ts";
import type { Collection, Store } from "../store/store.ts";
import { octavia } from "./errors.ts";
import type { Provisioning } from "./provisioning.ts";
import { type BalancerRecord, type BalancerTables, type LoadBalancer, now, type Pool } from "./records.ts";

/** What Octavia's routes work on. */
export interface BalancerContext {
  store: Store;
  balancers: BalancerTables;
  tables: NetworkTables;
  provisioning: Provisioning;
  base: () => string;
}

/** @throws ApiError 404, and 403 for another project's, as Octavia tells them apart */
export function visible<T extends BalancerRecord>(table: Collection<T>, scope: Scope, resource: string, id: string): T {
  const record = table.get(id);
  if (record === undefined) throw octavia.notFound(resource, id);
  if (!owns(scope, record.project_id)) throw octavia.forbidden();
  return record;
}

/** Readers look and change nothing. @throws ApiError 403 */
export function demandWriter(scope: Scope): void {
  if (!isAdmin(scope) && !scope.roles.includes("member")) throw octavia.forbidden();
}

/** What a list shows: the project's own, or for administrators all, or of whom they ask. */
export function listed<T extends BalancerRecord>(table: Collection<T>, scope: Scope, wanted: string | undefined): T[] {
  if (isAdmin(scope)) return table.list((record) => wanted === undefined || record.project_id === wanted);
  const own = projectOf(scope).id;
  if (wanted !== undefined && wanted !== own) throw octavia.forbidden();
  return table.list((record) => record.project_id === own);
}

/**
 * Takes the balancer for a change of something below it: until that is in effect nobody else may change it.
 * @throws ApiError 409 while it is being changed
 */
export function takeForChange({ balancers }: BalancerContext, id: string): LoadBalancer {
  const balancer = balancers.loadBalancers.get(id);
  if (balancer === undefined) throw octavia.notFound("Load Balancer", id);
  if (balancer.provisioning_status !== "ACTIVE") throw octavia.immutable("Load Balancer", id);
  return balancers.loadBalancers.put({ ...balancer, provisioning_status: "PENDING_UPDATE" });
}

/**
 * The same for a change below a pool, which changes along.
 * @throws ApiError 409 while the pool or its balancer is being changed
 */
export function takePoolForChange(context: BalancerContext, pool: Pool): void {
  if (pool.provisioning_status !== "ACTIVE") throw octavia.immutable("Pool", pool.id);
  takeForChange(context, pool.loadbalancer_id);
  pendUpdate(context.balancers.pools, [pool]);
}

/** Marks what is above a change as changing along. */
export function pendUpdate<T extends BalancerRecord>(table: Collection<T>, records: readonly T[]): void {
  for (const record of records) {
    if (record.provisioning_status === "ACTIVE") table.put({ ...record, provisioning_status: "PENDING_UPDATE" });
  }
}

/** The common part of a new record. */
export function newRecord(
  projectId: string,
  asked: {
    name?: string | null | undefined;
    admin_state_up?: boolean | undefined;
    tags?: string[] | null | undefined;
  },
): BalancerRecord {
  return {
    id: randomUUID(),
    project_id: projectId,
    name: asked.name ?? "",
    admin_state_up: asked.admin_state_up ?? true,
    provisioning_status: "PENDING_CREATE",
    operating_status: "OFFLINE",
    created_at: now(),
    updated_at: null,
    tags: (asked.tags ?? []).toSorted(),
  };
}

/** The record with what was asked for; what was left out stays. */
export function changedRecord<T extends BalancerRecord>(record: T, asked: object, defaults: Partial<T> = {}): T {
  const given = Object.entries(asked).filter(
    ([key, value]) => value !== undefined && (key !== "tags" || value !== null),
  );
  const settled = Object.fromEntries(given.map(([key, value]) => [key, value ?? defaults[key as keyof T] ?? null]));
  const tags = ((settled.tags ?? record.tags) as string[]).toSorted();
  return { ...record, ...settled, tags, provisioning_status: "PENDING_UPDATE" };
}
