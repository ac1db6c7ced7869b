import { createHash, randomBytes, scryptSync, timingSafeEqual } from "node:crypto";
import type { Collection, Store } from "../store/store.ts";

/** The only domain. */
export const defaultDomain = { id: "default", name: "Default" } as const;

export interface Project {
  id: string;
  name: string;
  description: string;
  /** Absent is yes. */
  enabled?: boolean;
  tags?: string[];
}

export interface User {
  id: string;
  name: string;
  /** SHA-256 over salt and password. Passwords are made by {@link newPassword}, 192 random bits: a slow hash would add nothing. */
  passwordHash: string;
  salt: string;
  /** True where somebody chose the password: then the hash is scrypt. */
  chosen?: boolean;
  /** Empty for none. */
  defaultProjectId: string;
  description?: string;
  /** Absent is yes. */
  enabled?: boolean;
  options?: Record<string, unknown>;
  /** What else the user was given. */
  extra?: Record<string, unknown>;
}

interface RoleAssignment {
  id: string;
  userId: string;
  projectId: string;
  roles: string[];
}

/** What a user made so that programs log in without the user's password: to one project, with some of the user's roles. */
export interface ApplicationCredential {
  id: string;
  name: string;
  description: string | null;
  userId: string;
  projectId: string;
  /** Names. */
  roles: string[];
  /** scrypt over salt and secret: users may choose secrets of their own. */
  secretHash: string;
  salt: string;
  /** Milliseconds since 1970; null for never. */
  expiresAt: number | null;
  /** Whether it may make and delete others; null is no. */
  unrestricted: boolean | null;
  accessRuleIds: string[];
}

/** A kind of request that an application credential may make. A user's equal rules are one record. */
export interface AccessRule {
  id: string;
  userId: string;
  /** Catalogue type. */
  service: string;
  /** Below the service's address; `*` and `{name}` stand for one part of it, `**` for any number. */
  path: string;
  method: string;
}

/** Keystone's own tables. */
export interface Accounts {
  projects: Collection<Project>;
  users: Collection<User>;
  assignments: Collection<RoleAssignment>;
  applicationCredentials: Collection<ApplicationCredential>;
  accessRules: Collection<AccessRule>;
}

export function accountsOf(store: Store): Accounts {
  return {
    projects: store.collection("project"),
    users: store.collection("user"),
    assignments: store.collection("role-assignment"),
    applicationCredentials: store.collection("application-credential"),
    accessRules: store.collection("access-rule"),
  };
}

/** Keystone's ids are UUIDs without dashes. */
export function newId(): string {
  return randomBytes(16).toString("hex");
}

export function newPassword(): string {
  return randomBytes(24).toString("base64url");
}

function hash(password: string, salt: string): string {
  return createHash("sha256").update(salt).update(password).digest("hex");
}

/** Makes a project with one user of its own. */
export function addAccount(accounts: Accounts, name: string, password: string, roles: string[]): void {
  const project = accounts.projects.put({ id: newId(), name, description: "" });
  const salt = randomBytes(16).toString("hex");
  const passwordHash = hash(password, salt);
  const user = accounts.users.put({ id: newId(), name, passwordHash, salt, defaultProjectId: project.id });
  accounts.assignments.put({ id: newId(), userId: user.id, projectId: project.id, roles });
}

export function passwordMatches(user: User, password: string): boolean {
  const hashed = user.chosen ? slowHash(password, user.salt) : hash(password, user.salt);
  return timingSafeEqual(Buffer.from(user.passwordHash, "hex"), Buffer.from(hashed, "hex"));
}

/** A user's part that a password is checked by, where somebody chose it. */
export function passwordFields(password: string): Pick<User, "passwordHash" | "salt" | "chosen"> {
  const salt = randomBytes(16).toString("hex");
  return { passwordHash: slowHash(password, salt), salt, chosen: true };
}

function slowHash(password: string, salt: string): string {
  return scryptSync(password, salt, 32).toString("hex");
}

/** The user's roles in a project; empty for a stranger. */
export function rolesOf(accounts: Accounts, userId: string, projectId: string): string[] {
  return accounts.assignments.find((a) => a.userId === userId && a.projectId === projectId)?.roles ?? [];
}

/** The projects that a user may log in to. */
export function projectsOf(accounts: Accounts, userId: string): Project[] {
  const ids = new Set(accounts.assignments.list((a) => a.userId === userId).map((a) => a.projectId));
  return accounts.projects.list((project) => ids.has(project.id));
}
