import type { Accounts, Grant, Project, Role } from "./accounts.ts";

/** Who has what where, without its id. */
export type GrantTerms = Omit<Grant, "id">;

export function grantId({ actor, actorId, target, targetId, roleId, inherited }: GrantTerms): string {
  return [actor, actorId, target, targetId, roleId, ...(inherited ? ["inherited"] : [])].join("/");
}

/** Gives the role; giving it twice is giving it once. */
export function putGrant(accounts: Accounts, terms: GrantTerms): Grant {
  return accounts.grants.put({ id: grantId(terms), ...terms });
}

export function deleteGrants(accounts: Accounts, where: (grant: Grant) => boolean): void {
  for (const { id } of accounts.grants.list(where)) accounts.grants.delete(id);
}

/** A role that a user has in effect, and how the user came to it. */
export interface EffectiveGrant {
  userId: string;
  target: Grant["target"];
  targetId: string;
  roleId: string;
  /** The grant that it comes from; its actor is a group where the user has it as a member, its target lies above where it is inherited. */
  source: Grant;
  /** The role by which this one is implied; absent where it was given itself. */
  priorRoleId?: string;
}

/** What grants come to: members in the place of groups, projects in the place of what they inherit from, and the implied roles. */
export function effectiveGrants(accounts: Accounts, grants: readonly Grant[]): EffectiveGrant[] {
  const projects = grants.some(({ inherited }) => inherited) ? accounts.projects.list() : [];
  const roles = new Map(accounts.roles.list().map((role) => [role.id, role]));
  const seen = new Set<string>();
  return grants
    .flatMap((source) => {
      const users = source.actor === "user" ? [source.actorId] : (accounts.groups.get(source.actorId)?.userIds ?? []);
      const targets = source.inherited
        ? below(projects, source).map(({ id }) => ({ target: "project" as const, targetId: id }))
        : [{ target: source.target, targetId: source.targetId }];
      const reached = withImplied(roles, source.roleId);
      return users.flatMap((userId) =>
        targets.flatMap((place) => reached.map((role) => ({ userId, ...place, ...role, source }))),
      );
    })
    .filter((one) => {
      const key = [one.userId, one.target, one.targetId, one.roleId].join("/");
      return !seen.has(key) && seen.add(key) !== undefined;
    });
}

/** A user's grants in effect, everywhere. */
function grantsOfUser(accounts: Accounts, userId: string): EffectiveGrant[] {
  const groups = new Set(accounts.groups.list((group) => group.userIds.includes(userId)).map(({ id }) => id));
  const own = accounts.grants.list((grant) =>
    grant.actor === "user" ? grant.actorId === userId : groups.has(grant.actorId),
  );
  return effectiveGrants(accounts, own).filter((grant) => grant.userId === userId);
}

/** Names of the roles that a user has somewhere; empty for a stranger. Roles of a domain are not told: only what they imply counts. */
export function rolesOf(accounts: Accounts, userId: string, target: Grant["target"], targetId: string): string[] {
  const ids = new Set(
    grantsOfUser(accounts, userId)
      .filter((grant) => grant.target === target && grant.targetId === targetId)
      .map(({ roleId }) => roleId),
  );
  return accounts.roles.list((role) => role.domainId === null && ids.has(role.id)).map(({ name }) => name);
}

/** The projects, or the domains, that a user may log in to. */
export function placesOf(accounts: Accounts, userId: string, target: "project" | "domain"): Project[] {
  const ids = new Set(
    grantsOfUser(accounts, userId)
      .filter((grant) => grant.target === target)
      .map(({ targetId }) => targetId),
  );
  return accounts.projects.list((project) => ids.has(project.id));
}

/** All projects below one, or in a domain, in the order of their making. */
export function below(projects: readonly Project[], { targetId }: Pick<Grant, "targetId">): Project[] {
  const parents = new Map(projects.map(({ id, parentId }) => [id, parentId]));
  const liesBelow = (id: string): boolean => {
    const parent = parents.get(id) ?? null;
    return parent !== null && (parent === targetId || liesBelow(parent));
  };
  return projects.filter(({ id }) => liesBelow(id));
}

function withImplied(
  roles: ReadonlyMap<string, Role>,
  roleId: string,
): Pick<EffectiveGrant, "roleId" | "priorRoleId">[] {
  const reached: Pick<EffectiveGrant, "roleId" | "priorRoleId">[] = [{ roleId }];
  for (const { roleId: prior } of reached) {
    for (const implied of roles.get(prior)?.implies ?? []) {
      if (!reached.some((one) => one.roleId === implied)) reached.push({ roleId: implied, priorRoleId: prior });
    }
  }
  return reached;
}
