import { createHash } from "node:crypto";
import { isoMicros } from "../http/time.ts";
import { defaultDomain, type Project, type User } from "./accounts.ts";
import { type Addresses, catalogOf } from "./catalog.ts";
import type { Delegation } from "./scope.ts";
import type { TokenRecord } from "./tokens.ts";

/** Keystone's role list; ids stay the same from start to start. */
export const roles = ["admin", "member", "reader"].map((name) => ({
  id: createHash("md5").update(`role/${name}`).digest("hex"),
  name,
  domain_id: null,
  description: null,
  options: {},
  links: {},
}));

/** The body of a token answer. */
export function tokenView(record: TokenRecord, addresses: Addresses, withCatalog: boolean): unknown {
  const { scope } = record;
  return {
    token: {
      methods: record.methods,
      user: { domain: defaultDomain, id: scope.userId, name: scope.userName, password_expires_at: null },
      audit_ids: [record.auditId],
      expires_at: isoMicros(new Date(record.expiresAt)),
      issued_at: isoMicros(new Date(record.issuedAt)),
      ...(scope.project === undefined
        ? {}
        : {
            project: { domain: defaultDomain, ...scope.project },
            is_domain: false,
            roles: roles.filter((role) => scope.roles.includes(role.name)).map(({ id, name }) => ({ id, name })),
            ...(withCatalog ? { catalog: catalogOf(addresses, scope.project.id) } : {}),
          }),
      ...(scope.applicationCredential === undefined ? {} : delegationView(scope.applicationCredential)),
    },
  };
}

function delegationView({ accessRules, ...rest }: Delegation) {
  return { application_credential: { ...rest, ...(accessRules === undefined ? {} : { access_rules: accessRules }) } };
}

export function projectView(project: Project, base: string): unknown {
  return {
    id: project.id,
    name: project.name,
    domain_id: defaultDomain.id,
    description: project.description,
    enabled: project.enabled ?? true,
    parent_id: defaultDomain.id,
    is_domain: false,
    tags: project.tags ?? [],
    options: {},
    links: { self: `${base}/identity/v3/projects/${project.id}` },
  };
}

export function userView(user: User, base: string): unknown {
  return {
    ...user.extra,
    id: user.id,
    name: user.name,
    domain_id: defaultDomain.id,
    enabled: user.enabled ?? true,
    ...(user.description === undefined ? {} : { description: user.description }),
    ...(user.defaultProjectId === "" ? {} : { default_project_id: user.defaultProjectId }),
    password_expires_at: null,
    options: user.options ?? {},
    links: { self: `${base}/identity/v3/users/${user.id}` },
  };
}
