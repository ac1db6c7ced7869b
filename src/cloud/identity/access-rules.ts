import { ApiError } from "../http/api-error.ts";
import { type AccessRule, type Accounts, newId } from "./accounts.ts";
import { fitsPath } from "./path-pattern.ts";
import type { AccessRuleView, Scope } from "./scope.ts";

/** As Keystone shows it. */
export function accessRuleView({ id, service, path, method }: AccessRule): AccessRuleView {
  return { id, service, path, method };
}

/** A rule as it is asked for: an existing one by id, or what it says. */
type WantedAccessRule = { id: string } | Pick<AccessRule, "service" | "path" | "method">;

/** The user's own rule, made where there is none that says the same. */
export function ensureAccessRule(accounts: Accounts, userId: string, wanted: WantedAccessRule): AccessRule {
  if ("id" in wanted) {
    const found = accounts.accessRules.get(wanted.id);
    if (found === undefined || found.userId !== userId) throw unknownAccessRule(wanted.id);
    return found;
  }
  const { service, path, method } = wanted;
  const same = (rule: AccessRule) =>
    rule.userId === userId && rule.service === service && rule.path === path && rule.method === method;
  return accounts.accessRules.find(same) ?? accounts.accessRules.put({ id: newId(), userId, service, path, method });
}

export function unknownAccessRule(id: string): ApiError {
  return new ApiError(404, `Could not find Access Rule: ${id}.`);
}

/**
 * Whether a token may be used for a request; one without rules may be used for all.
 * @param path below the service's address
 */
export function isAllowed({ applicationCredential }: Scope, service: string, method: string, path: string): boolean {
  const rules = applicationCredential?.accessRules;
  if (rules === undefined) return true;
  return rules.some((rule) => rule.service === service && rule.method === method && fitsPath(rule.path, path));
}
