import { randomUUID } from "node:crypto";
import { isoSeconds } from "../http/time.ts";
import { isAdmin, owns, type Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import type { Collection } from "../store/store.ts";
import { neutron } from "./errors.ts";
import type { NetworkRecord, NetworkTables } from "./records.ts";

/** One kind of Neutron resource: its names, and what creating, showing, changing and deleting one means. All of it synchronous. */
export interface NetworkResource<T extends NetworkRecord> {
  /** JSON key of one, e.g. `security_group`; the key of many adds an s. */
  readonly singular: string;
  /** Path below `/v2.0`, e.g. `security-groups`. */
  readonly path: string;
  /** How many a project may have. */
  readonly quota: number;
  table(tables: NetworkTables): Collection<T>;
  notFound(id: string): Error;
  /** Whether a stranger may see it (shared and external networks); owners and admins always do. */
  isPublic?(tables: NetworkTables, record: T): boolean;
  view(tables: NetworkTables, record: T): Record<string, unknown>;
  create(tables: NetworkTables, scope: Scope, input: unknown): T;
  /** Absent where the API has no PUT. */
  update?(tables: NetworkTables, scope: Scope, record: T, input: unknown): T;
  remove(tables: NetworkTables, record: T): void;
  /** Called before a project's first list or create; makes what a project always has (its default group). */
  prepare?(tables: NetworkTables, scope: Scope): void;
}

/** The common part of a new record. Admins may create for another project. */
export function newRecord(
  scope: Scope,
  input: {
    name?: string | undefined;
    description?: string | undefined;
    tenant_id?: string | undefined;
    project_id?: string | undefined;
  },
): NetworkRecord {
  const own = projectOf(scope).id;
  const projectId = input.project_id ?? input.tenant_id ?? own;
  if (projectId !== own && !isAdmin(scope)) throw neutron.notAuthorized("create_for_other_project");
  return { ...newInternalRecord(projectId), name: input.name ?? "", description: input.description ?? "" };
}

/** The common part of a record that Neutron makes for itself. */
export function newInternalRecord(projectId: string): NetworkRecord {
  const now = isoSeconds();
  return {
    id: randomUUID(),
    projectId,
    name: "",
    description: "",
    tags: [],
    createdAt: now,
    updatedAt: now,
    revision: 0,
  };
}

/** The same record, changed: later, and one revision up. */
export function revised<T extends NetworkRecord>(record: T, change: Partial<T> = {}): T {
  return { ...record, ...change, updatedAt: isoSeconds(), revision: record.revision + 1 };
}

/** The fields that every resource shows at its end. */
export function commonView(record: NetworkRecord): Record<string, unknown> {
  return {
    description: record.description,
    tags: record.tags,
    created_at: record.createdAt,
    updated_at: record.updatedAt,
    revision_number: record.revision,
    project_id: record.projectId,
    tenant_id: record.projectId,
  };
}

/** The record if the scope may see it, else the resource's 404. */
export function visibleRecord<T extends NetworkRecord>(
  resource: NetworkResource<T>,
  tables: NetworkTables,
  scope: Scope,
  id: string,
): T {
  const record = resource.table(tables).get(id);
  if (record === undefined || !isVisible(resource, tables, scope, record)) throw resource.notFound(id);
  return record;
}

export function isVisible<T extends NetworkRecord>(
  resource: NetworkResource<T>,
  tables: NetworkTables,
  scope: Scope,
  record: T,
): boolean {
  return owns(scope, record.projectId) || resource.isPublic?.(tables, record) === true;
}

/** The record if the scope may change it; what is only visible is refused with 403, the rest with 404. */
export function ownRecord<T extends NetworkRecord>(
  resource: NetworkResource<T>,
  tables: NetworkTables,
  scope: Scope,
  id: string,
  action: string,
): T {
  const record = visibleRecord(resource, tables, scope, id);
  if (!owns(scope, record.projectId)) throw neutron.notAuthorized(`${action}_${resource.singular}`);
  return record;
}
