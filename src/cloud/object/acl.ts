import { isAdmin, type Scope } from "../identity/scope.ts";
import type { Container } from "./records.ts";

/** Who asks: a token's scope, or nobody for an anonymous request. */
export type Caller = Scope | undefined;

/** The account's owner may do everything in it. */
export function ownsAccount(caller: Caller, projectId: string): boolean {
  return caller !== undefined && (caller.project?.id === projectId || isAdmin(caller));
}

/** May read objects: the owner, everyone with `.r:*`, and the projects and users that the ACL names. */
export function mayRead(caller: Caller, container: Container): boolean {
  return (
    ownsAccount(caller, container.projectId) ||
    grants(container.readAcl, caller) ||
    entries(container.readAcl).includes(".r:*")
  );
}

/** May list: the owner, named projects and users, and everyone with `.rlistings` beside `.r:*`. */
export function mayList(caller: Caller, container: Container): boolean {
  const acl = entries(container.readAcl);
  return (
    ownsAccount(caller, container.projectId) ||
    grants(container.readAcl, caller) ||
    (acl.includes(".r:*") && acl.includes(".rlistings"))
  );
}

export function mayWrite(caller: Caller, container: Container): boolean {
  return ownsAccount(caller, container.projectId) || grants(container.writeAcl, caller);
}

const entries = (acl: string): string[] =>
  acl
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");

/** `<project>:<user>` by ids, each may be `*`. */
function grants(acl: string, caller: Caller): boolean {
  if (caller?.project === undefined) return false;
  const { id: projectId } = caller.project;
  return entries(acl).some((entry) => {
    if (entry.startsWith(".")) return false;
    const [project, user = "*"] = entry.split(":");
    return (project === "*" || project === projectId) && (user === "*" || user === caller.userId);
  });
}
