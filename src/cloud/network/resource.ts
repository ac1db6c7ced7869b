import { randomUUID } from "node:crypto";
import { isoSeconds } from "../http/time.ts";
import { owns, type Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import type { Collection } from "../store/store.ts";
import type { Attributes, Values } from "./attributes.ts";
import { neutron } from "./errors.ts";
import type { View } from "./filters.ts";
import type { Network, NetworkRecord, NetworkTables } from "./records.ts";

/** One kind of Neutron resource: its names, and what creating, showing, changing and deleting one means. All of it synchronous. */
export interface NetworkResource<T extends NetworkRecord, A extends Attributes = Attributes> {
  /** JSON key of one, e.g. `security_group`. */
  readonly singular: string;
  /** JSON key of many; the singular with an s unless told. */
  readonly plural?: string;
  /** Path below `/v2.0`, e.g. `security-groups`. */
  readonly path: string;
  /** Nothing of this kind has tags. */
  readonly untagged?: boolean;
  /** How many a project may have, below zero as many as it likes; absent: Neutron counts no such thing. */
  readonly quota?: number;
  readonly attributes: A;
  table(tables: NetworkTables): Collection<T>;
  notFound(id: string): Error;
  /** Whether a stranger may see it (shared and external networks); owners and admins always do. */
  isPublic?(tables: NetworkTables, record: T, scope: Scope): boolean;
  /** Whether a stranger who sees it may do something with it. */
  mayAct?(tables: NetworkTables, record: T, scope: Scope, action: string): boolean;
  view(tables: NetworkTables, record: T): View;
  /** What only administrators are shown besides. */
  adminView?(tables: NetworkTables, record: T): View;
  /** What the answer to a change shows, where that is not what is shown otherwise. */
  changedView?(tables: NetworkTables, record: T): View;
  /** What shows differently to each project. */
  scopedView?(tables: NetworkTables, record: T, scope: Scope): View;
  /** What the answer to creating one tells besides. */
  createdView?(record: T): View;
  /** Values that are not shown and yet filter. */
  hidden?(tables: NetworkTables, view: View): View;
  /** The network that a body or record lies in: its owner may do more there. */
  networkOf?(tables: NetworkTables, of: { network_id?: string | undefined } | T): Network | undefined;
  /** Whether anything may be made where a body says, which is asked before what of it may be set. */
  demandPlace?(tables: NetworkTables, scope: Scope, body: Values<A>): void;
  create(tables: NetworkTables, scope: Scope, body: Values<A>): T;
  /** What follows from there being one more, once it is there. */
  created?(tables: NetworkTables, record: T): void;
  /** Absent where the API has no PUT. */
  update?(tables: NetworkTables, scope: Scope, record: T, body: Values<A>): T;
  remove(tables: NetworkTables, record: T): void;
  /** Called before a project's first list or create; makes what a project always has (its default group). */
  prepare?(tables: NetworkTables, scope: Scope): void;
}

export const pluralOf = ({ singular, plural }: Pick<NetworkResource<NetworkRecord>, "singular" | "plural">): string =>
  plural ?? `${singular}s`;

/** The common part of a new record. Whose it may be, the attributes were read for. */
export function newRecord(
  scope: Scope,
  body: {
    name?: string | undefined;
    description?: string | undefined;
    tenant_id?: string | undefined;
    project_id?: string | undefined;
  },
): NetworkRecord {
  const projectId = body.project_id ?? body.tenant_id ?? projectOf(scope).id;
  return { ...newInternalRecord(projectId), name: body.name ?? "", description: body.description ?? "" };
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
    tags: record.tags.toSorted(),
    created_at: record.createdAt,
    updated_at: record.updatedAt,
    revision_number: record.revision,
    project_id: record.projectId,
    tenant_id: record.projectId,
  };
}

/** The record if the scope may see it, else the resource's 404. */
export function visibleRecord<T extends NetworkRecord, A extends Attributes>(
  resource: NetworkResource<T, A>,
  tables: NetworkTables,
  scope: Scope,
  id: string,
): T {
  const record = resource.table(tables).get(id);
  if (record === undefined || !isVisible(resource, tables, scope, record)) throw resource.notFound(id);
  return record;
}

export function isVisible<T extends NetworkRecord, A extends Attributes>(
  resource: NetworkResource<T, A>,
  tables: NetworkTables,
  scope: Scope,
  record: T,
): boolean {
  return owns(scope, record.projectId) || resource.isPublic?.(tables, record, scope) === true;
}

/** The record if the scope may change it; what is only visible is refused with 403, the rest with 404. */
export function ownRecord<T extends NetworkRecord, A extends Attributes>(
  resource: NetworkResource<T, A>,
  tables: NetworkTables,
  scope: Scope,
  id: string,
  action: string,
): T {
  const record = visibleRecord(resource, tables, scope, id);
  const mayAct = owns(scope, record.projectId) || resource.mayAct?.(tables, record, scope, action) === true;
  if (!mayAct) throw neutron.notAuthorized(`${action}_${resource.singular}`);
  return record;
}
