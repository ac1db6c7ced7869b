import { percentDecoded, textOf } from "../http/percent.ts";
import { isAdmin, type Scope } from "../identity/scope.ts";
import type { Caller } from "./caller.ts";
import type { Container } from "./records.ts";
import { bareRefusal } from "./refusals.ts";

type Guarded = Pick<Container, "id" | "projectId" | "readAcl" | "writeAcl">;

/** Keystoneauth's `operator_roles`: who has one in the account's project may do everything in it. */
const operatorRoles = new Set(["admin", "member", "swiftoperator"]);
/** Its `project_reader_roles`: may look. */
const readerRoles = new Set(["reader"]);

const hasRole = ({ roles }: Scope, wanted: ReadonlySet<string>) => roles.some((role) => wanted.has(role.toLowerCase()));

/** The account's owner may do everything in it, and alone sees its keys and ACLs: Swift's `swift_owner`. */
export function ownsAccount(caller: Caller, projectId: string): boolean {
  if (caller.kind !== "token") return false;
  const { scope } = caller;
  return isAdmin(scope) || (scope.project?.id === projectId && hasRole(scope, operatorRoles));
}

/** May see what an account has, whatever the ACLs say: its owner, and the readers of its project. */
export function mayLookInto(caller: Caller, projectId: string): boolean {
  if (ownsAccount(caller, projectId)) return true;
  return caller.kind === "token" && caller.scope.project?.id === projectId && hasRole(caller.scope, readerRoles);
}

/** May read objects: who looks into the account, and whom the ACL names by project and user, by role or by the page that leads here. */
export function mayRead(caller: Caller, container: Guarded): boolean {
  return isGranted(caller, container, container.readAcl, mayLookInto) || isReferred(caller, container.readAcl);
}

/** May list: the same, but whom a page leads here only with `.rlistings` beside. */
export function mayList(caller: Caller, { readAcl, ...container }: Guarded): boolean {
  if (isGranted(caller, { ...container, readAcl }, readAcl, mayLookInto)) return true;
  return isReferred(caller, readAcl) && entries(readAcl).includes(".rlistings");
}

export function mayWrite(caller: Caller, container: Guarded): boolean {
  return isGranted(caller, container, container.writeAcl, ownsAccount);
}

const entries = (acl: string): string[] =>
  acl
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");

function isGranted(
  caller: Caller,
  { id, projectId }: Guarded,
  acl: string,
  rightOfAccount: typeof ownsAccount,
): boolean {
  if (caller.kind === "bearer") {
    return caller.projectId === projectId && (caller.containerId === undefined || caller.containerId === id);
  }
  return rightOfAccount(caller, projectId) || isNamed(caller, projectId, acl);
}

/** `<project>:<user>` by ids, each may be `*`; or the name of a role that is held in the account's project. */
function isNamed(caller: Caller, projectId: string, acl: string): boolean {
  if (caller.kind !== "token" || caller.scope.project === undefined) return false;
  const { project, userId, roles } = caller.scope;
  const names = [project.id, "*"].flatMap((first) => [userId, "*"].map((second) => `${first}:${second}`));
  if (project.id === projectId) names.push(...roles.map((role) => role.toLowerCase()));
  return entries(acl)
    .filter((entry) => !entry.startsWith("."))
    .map((entry) => textOf(percentDecoded(entry)) ?? "")
    .some((entry) => names.includes(entry.includes(":") ? entry : entry.toLowerCase()));
}

/** Whether the ACL's `.r:` entries, the last that fits, let those pass whom this page led here. */
function isReferred(caller: Caller, acl: string): boolean {
  if (caller.kind === "bearer") return false;
  const host = hostOf(caller.referer);
  return entries(acl)
    .filter((entry) => entry.startsWith(".r:"))
    .reduce((passes, entry) => {
      const [, minus = "", name = ""] = /^\.r:(-?)(.*)$/s.exec(entry) ?? [];
      const fits = name === host || (name.startsWith(".") && host.endsWith(name));
      if (minus !== "") return passes && !fits;
      return passes || fits || name === "*";
    }, false);
}

function hostOf(referer = ""): string {
  return URL.canParse(referer) ? new URL(referer).hostname || "unknown" : "unknown";
}

/**
 * An ACL as Swift keeps it: without blanks and empty entries, `.r:` for each way of writing it.
 * @param name of the header
 * @throws ApiError 400
 */
export function cleanAcl(name: string, value: string): string {
  return entries(value)
    .map((entry) => cleanEntry(name, entry))
    .join(",");
}

function cleanEntry(name: string, entry: string): string {
  const [, first = "", rest = ""] = /^([^:]*):(.*)$/s.exec(entry) ?? [];
  const kind = first.trim();
  if (!kind.startsWith(".")) return entry;
  if (![".r", ".ref", ".referer", ".referrer"].includes(kind)) {
    throw bareRefusal(400, `Unknown designator '${kind}' in ACL: '${entry}'`);
  }
  if (name.includes("write")) throw bareRefusal(400, `Referrers not allowed in write ACL: '${entry}'`);
  const [, minus = "", text = ""] = /^(-?)(.*)$/s.exec(rest.trim()) ?? [];
  const host = /^\*./s.test(text.trim()) ? text.trim().slice(1).trim() : text.trim();
  if (host === "" || host === ".") {
    throw bareRefusal(400, `No host/domain value after referrer designation in ACL: '${entry}'`);
  }
  return `.r:${minus}${host}`;
}
