import type { FastifyRequest } from "fastify";
import { ApiError } from "../http/api-error.ts";
import type { Store } from "../store/store.ts";
import { type Accounts, defaultDomain, type Project } from "./accounts.ts";
import type { Addresses } from "./catalog.ts";
import type { Scope } from "./scope.ts";
import type { Tokens } from "./tokens.ts";

/** What Keystone's routes work on. */
export interface IdentityContext {
  store: Store;
  accounts: Accounts;
  tokens: Tokens;
  addresses: () => Addresses;
  /** `http://127.0.0.1:PORT/identity/v3` */
  url: () => string;
}

/** The address that a request went to, with its query: what a list calls itself. */
export function selfOf(context: IdentityContext, request: FastifyRequest): string {
  return `${context.addresses().base}${request.originalUrl}`;
}

/** @throws ApiError 404 in Keystone's words */
export function found<T>(item: T | undefined, kind: string, id: string): T {
  if (item === undefined) throw new ApiError(404, `Could not find ${kind}: ${id}.`);
  return item;
}

/** @throws ApiError 404 */
export function domainOf(accounts: Accounts, id: string): Project {
  const domain = accounts.projects.get(id);
  return found(domain?.isDomain ? domain : undefined, "domain", id);
}

/** Where something lies for which no domain was named: in the token's own. */
export function ownDomainId(accounts: Accounts, scope: Scope): string {
  if (scope.domain !== undefined) return scope.domain.id;
  return accounts.projects.get(scope.project?.id ?? "")?.domainId ?? defaultDomain.id;
}

/** @throws ApiError 409 in Keystone's words for a name that is taken */
export function demandFree(taken: boolean, kind: string, name: string, domainId?: string): void {
  if (!taken) return;
  const where = domainId === undefined ? "" : ` at domain ID ${domainId}`;
  throw new ApiError(
    409,
    `Conflict occurred attempting to store ${kind} - Duplicate entry found with name ${name}${where}.`,
  );
}

/** Free fields and options as they are after a change; null takes one away. */
export function merged(before: Record<string, unknown>, asked: Record<string, unknown> = {}): Record<string, unknown> {
  return Object.fromEntries(Object.entries({ ...before, ...asked }).filter(([, value]) => value !== null));
}

/**
 * What an option of a resource may forbid: deleting it, and every change but that of the option itself.
 * @param change absent for a deletion
 * @throws ApiError 403
 */
export function demandMutable(
  { id, options }: { id: string; options: Record<string, unknown> },
  kind: string,
  change?: Record<string, unknown>,
): void {
  if (options.immutable !== true) return;
  const asked = (change?.options ?? {}) as Record<string, unknown>;
  const frees = Object.keys(change ?? {}).length === 1 && "immutable" in asked && !asked.immutable;
  if (frees) return;
  const verb = change === undefined ? "delete" : "update";
  throw new ApiError(
    403,
    `Unable to ${verb} immutable ${kind} resource: \`${id}. Set resource option "immutable" to false first.`,
  );
}
