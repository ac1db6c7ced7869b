import type { Accounts, Project } from "./accounts.ts";
import { delegationOf } from "./delegation.ts";
import { rolesOf } from "./grants.ts";
import type { Scope } from "./scope.ts";

/** What a token is for. */
export type TokenTarget = { kind: "unscoped" } | { kind: "project" | "domain"; id: string } | { kind: "system" };

/** What a token was got with. */
export interface TokenGrounds {
  userId: string;
  target: TokenTarget;
  applicationCredentialId?: string;
}

/**
 * What somebody may do by now, computed from the tables as they are: roles that were given or taken count at once, as Keystone has it
 * with tokens that carry no roles.
 * @returns undefined where the user, the project or the domain is gone or disabled, or the user has no role there
 */
export function liveScope(
  accounts: Accounts,
  { userId, target, applicationCredentialId }: TokenGrounds,
): Scope | undefined {
  const user = accounts.users.get(userId);
  if (user === undefined || user.enabled === false || !isEnabled(accounts, user.domainId)) return undefined;
  const who = { userId, userName: user.name };
  if (target.kind === "unscoped") return { ...who, roles: [] };
  if (target.kind === "system") {
    const roles = rolesOf(accounts, userId, "system", "all");
    return roles.length === 0 ? undefined : { ...who, system: true, roles };
  }
  const place = accounts.projects.get(target.id);
  if (place === undefined || !isOpen(accounts, place)) return undefined;
  const held = rolesOf(accounts, userId, target.kind, target.id);
  const credential =
    applicationCredentialId === undefined ? undefined : accounts.applicationCredentials.get(applicationCredentialId);
  if (applicationCredentialId !== undefined && credential === undefined) return undefined;
  const roles = credential === undefined ? held : held.filter((role) => credential.roles.includes(role));
  if (roles.length === 0) return undefined;
  return {
    ...who,
    [target.kind]: { id: place.id, name: place.name },
    roles,
    ...(credential === undefined ? {} : { applicationCredential: delegationOf(accounts, credential) }),
  };
}

/** Whether anybody may work in it: it and its domain are enabled. */
function isOpen(accounts: Accounts, place: Project): boolean {
  return place.enabled && (place.domainId === null || isEnabled(accounts, place.domainId));
}

function isEnabled(accounts: Accounts, domainId: string): boolean {
  return accounts.projects.get(domainId)?.enabled === true;
}
