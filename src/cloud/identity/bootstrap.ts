import { createHash } from "node:crypto";
import type { Collection, Store } from "../store/store.ts";
import { type Accounts, defaultDomain, newId, type Project, type Role, type User } from "./accounts.ts";
import { seedCatalog } from "./catalog.ts";
import { putGrant } from "./grants.ts";
import { randomPasswordFields } from "./passwords.ts";

/** The roles of every cloud; each has what the next one has. */
const usualRoles = ["admin", "member", "reader"] as const;

/** Stays the same from start to start. */
const usualRoleId = (name: string) => createHash("md5").update(`role/${name}`).digest("hex");

/** An account as it is made at the first start: a project with one user of its own. */
interface FirstAccount {
  name: string;
  password: string;
  role: (typeof usualRoles)[number];
  /** Whether the user has the role in the system as well. */
  inSystem: boolean;
}

/** Makes what a new Keystone has (domain, roles, catalogue), and brings what an older version kept into today's form. */
export function bootstrapIdentity(store: Store, accounts: Accounts): void {
  if (accounts.projects.get(defaultDomain.id) === undefined) {
    accounts.projects.put(newDomain(defaultDomain.id, defaultDomain.name, "The default domain"));
  }
  for (const [index, name] of usualRoles.entries()) {
    if (store.setting(`role/${name}`) !== undefined) continue;
    store.setSetting(`role/${name}`, "made");
    const next = usualRoles[index + 1];
    accounts.roles.put({ ...newRole(usualRoleId(name), name), implies: next === undefined ? [] : [usualRoleId(next)] });
  }
  seedCatalog(store, accounts);
  renewOldRecords(store, accounts);
}

/** Makes the project and its user, unless there is one of that name. */
export function ensureAccount(accounts: Accounts, { name, password, role, inSystem }: FirstAccount): void {
  if (accounts.users.find((user) => user.name === name && user.domainId === defaultDomain.id) !== undefined) return;
  const project = accounts.projects.put(newProject(newId(), name));
  const user = accounts.users.put({
    ...{ id: newId(), name, domainId: defaultDomain.id, defaultProjectId: project.id },
    ...randomPasswordFields(password),
  });
  const grant = { actor: "user", actorId: user.id, roleId: usualRoleId(role), inherited: false } as const;
  putGrant(accounts, { ...grant, target: "project", targetId: project.id });
  if (inSystem) putGrant(accounts, { ...grant, target: "system", targetId: "all" });
}

function newProject(id: string, name: string): Project {
  const place = { isDomain: false, domainId: defaultDomain.id, parentId: defaultDomain.id };
  return { id, name, description: "", enabled: true, ...place, tags: [], options: {}, extra: {} };
}

function newDomain(id: string, name: string, description: string): Project {
  return { ...newProject(id, name), description, isDomain: true, domainId: null, parentId: null };
}

function newRole(id: string, name: string): Role {
  return { id, name, domainId: null, description: null, options: { immutable: true }, extra: {}, implies: [] };
}

/** Roles in projects as they were kept when there were neither groups nor domains. */
interface OldAssignment {
  id: string;
  userId: string;
  projectId: string;
  roles: string[];
}

function renewOldRecords(store: Store, accounts: Accounts): void {
  for (const old of accounts.projects.list((project) => project.domainId === undefined)) {
    accounts.projects.put({ ...newProject(old.id, old.name), ...old });
  }
  for (const old of accounts.users.list((user) => user.domainId === undefined)) {
    accounts.users.put({ ...old, domainId: defaultDomain.id } satisfies User);
  }
  const assignments: Collection<OldAssignment> = store.collection("role-assignment");
  for (const { id, userId, projectId, roles } of assignments.list()) {
    for (const name of roles) {
      const grant = { actor: "user", actorId: userId, roleId: usualRoleId(name), inherited: false } as const;
      putGrant(accounts, { ...grant, target: "project", targetId: projectId });
      if (name === "admin") putGrant(accounts, { ...grant, target: "system", targetId: "all" });
    }
    assignments.delete(id);
  }
  // tokens say today what they are for; whoever holds an older one logs in again
  const tokens: Collection<{ id: string; target?: unknown }> = store.collection("token");
  for (const { id } of tokens.list((token) => token.target === undefined)) tokens.delete(id);
}
