import { randomBytes } from "node:crypto";
import type { Collection, Store } from "../store/store.ts";

/** The domain that is there from the start; what names none lies in it. */
export const defaultDomain = { id: "default", name: "Default" } as const;

/** A project, or a domain: to Keystone a domain is a project that others lie in. */
export interface Project {
  id: string;
  name: string;
  description: string;
  enabled: boolean;
  isDomain: boolean;
  /** Null for domains. */
  domainId: string | null;
  /** The project or domain that it lies below; null for domains. */
  parentId: string | null;
  tags: string[];
  options: Record<string, unknown>;
  /** What else it was given. */
  extra: Record<string, unknown>;
}

export interface User {
  id: string;
  name: string;
  domainId: string;
  /** SHA-256 over salt and password. Passwords are made by `newPassword`, 192 random bits: a slow hash would add nothing. */
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

export interface Group {
  id: string;
  name: string;
  domainId: string;
  description: string;
  userIds: string[];
  extra: Record<string, unknown>;
}

export interface Role {
  id: string;
  name: string;
  /** Null for a role of the whole cloud; those of a domain are never in tokens, only what they imply is. */
  domainId: string | null;
  description: string | null;
  options: Record<string, unknown>;
  extra: Record<string, unknown>;
  /** Ids of the roles that whoever has this one has too. */
  implies: string[];
}

/** A role that a user or a group has somewhere; its id is made of all that it says, see `grantId`. */
export interface Grant {
  id: string;
  actor: "user" | "group";
  actorId: string;
  target: "project" | "domain" | "system";
  /** `all` for the system. */
  targetId: string;
  roleId: string;
  /** It holds in the projects below its target, and not in the target. */
  inherited: boolean;
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

/** What Keystone keeps and only gives back, in the API's own form. */
export type Document = { id: string } & Record<string, unknown>;

/** Keystone's own tables. */
export interface Accounts {
  projects: Collection<Project>;
  users: Collection<User>;
  groups: Collection<Group>;
  roles: Collection<Role>;
  grants: Collection<Grant>;
  applicationCredentials: Collection<ApplicationCredential>;
  accessRules: Collection<AccessRule>;
  regions: Collection<Document>;
  services: Collection<Document>;
  endpoints: Collection<Document>;
  policies: Collection<Document>;
  credentials: Collection<Document>;
  registeredLimits: Collection<Document>;
  limits: Collection<Document>;
  /** Counts the changes, so that what was computed from the tables can be kept until the next. */
  changes: { count: number };
}

export function accountsOf(store: Store): Accounts {
  return {
    projects: store.collection("project"),
    users: store.collection("user"),
    groups: store.collection("user-group"),
    roles: store.collection("role"),
    grants: store.collection("role-grant"),
    applicationCredentials: store.collection("application-credential"),
    accessRules: store.collection("access-rule"),
    regions: store.collection("region"),
    services: store.collection("service"),
    endpoints: store.collection("endpoint"),
    policies: store.collection("policy"),
    credentials: store.collection("credential"),
    registeredLimits: store.collection("registered-limit"),
    limits: store.collection("limit"),
    changes: { count: 0 },
  };
}

/** Keystone's ids are UUIDs without dashes. */
export function newId(): string {
  return randomBytes(16).toString("hex");
}
