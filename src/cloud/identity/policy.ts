import { forbidden } from "../http/api-error.ts";
import { isAdmin, type Scope } from "./scope.ts";

/** @throws ApiError 403 for all but administrators */
export function demandAdmin(scope: Scope, action: string): void {
  if (!isAdmin(scope)) throw forbidden(`identity:${action}`);
}

/**
 * Reading is for administrators, and for readers of the system or of the domain that something lies in.
 * @param domainId the domain; absent: a domain's readers do not see it
 * @throws ApiError 403
 */
export function demandReader(scope: Scope, action: string, domainId?: string | null): void {
  const reads = scope.roles.includes("reader");
  const inDomain = scope.domain !== undefined && scope.domain.id === domainId;
  if (!isAdmin(scope) && !(reads && (scope.system === true || inDomain))) throw forbidden(`identity:${action}`);
}

/** What of a list somebody sees: with a token of a domain, what lies in the domain. */
export function visibleIn<T extends { domainId: string | null }>(scope: Scope, items: readonly T[]): T[] {
  const { domain } = scope;
  return domain === undefined ? [...items] : items.filter((item) => item.domainId === domain.id);
}
