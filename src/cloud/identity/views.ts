import { type Accounts, defaultDomain, type Group, type Project, type Role, type User } from "./accounts.ts";
import { type Addresses, catalogOf } from "./catalog.ts";
import type { Delegation } from "./scope.ts";
import type { TokenRecord } from "./tokens.ts";

/** Whole seconds, written as Keystone writes them. */
const moment = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}.000000Z`;

const nameOf = (accounts: Accounts, domainId: string) => ({
  id: domainId,
  name: accounts.projects.get(domainId)?.name ?? defaultDomain.name,
});

/** The body of a token answer. */
export function tokenView(
  accounts: Accounts,
  record: TokenRecord,
  addresses: Addresses,
  withCatalog: boolean,
): unknown {
  const { scope } = record;
  const user = accounts.users.get(scope.userId);
  const project = scope.project === undefined ? undefined : accounts.projects.get(scope.project.id);
  const isScoped = record.target.kind !== "unscoped";
  return {
    token: {
      methods: record.methods,
      user: {
        domain: nameOf(accounts, user?.domainId ?? defaultDomain.id),
        ...{ id: scope.userId, name: scope.userName, password_expires_at: null },
      },
      audit_ids: record.auditIds,
      expires_at: moment(record.expiresAt),
      issued_at: moment(record.issuedAt),
      ...(project === undefined
        ? {}
        : {
            project: { domain: nameOf(accounts, project.domainId ?? project.id), id: project.id, name: project.name },
            is_domain: project.isDomain,
          }),
      ...(scope.domain === undefined ? {} : { domain: scope.domain }),
      ...(scope.system === undefined ? {} : { system: { all: true } }),
      ...(isScoped ? { roles: tokenRoles(accounts, scope.roles) } : {}),
      ...(isScoped && withCatalog ? { catalog: catalogOf(accounts, addresses, scope.project?.id) } : {}),
      ...(scope.applicationCredential === undefined ? {} : delegationView(scope.applicationCredential)),
    },
  };
}

function tokenRoles(accounts: Accounts, names: readonly string[]) {
  return accounts.roles
    .list((role) => role.domainId === null && names.includes(role.name))
    .map(({ id, name }) => ({ id, name }));
}

function delegationView({ accessRules, ...rest }: Delegation) {
  return { application_credential: { ...rest, ...(accessRules === undefined ? {} : { access_rules: accessRules }) } };
}

/** @param url Keystone's own address */
export function projectView(project: Project, url: string) {
  const { id, name, description, enabled, tags, options, extra } = project;
  return {
    ...extra,
    ...{ id, name, domain_id: project.domainId, description, enabled },
    ...{ parent_id: project.parentId, is_domain: project.isDomain, tags, options },
    links: { self: `${url}/projects/${id}` },
  };
}

export function domainView(domain: Project, url: string) {
  const { id, name, description, enabled, tags, options, extra } = domain;
  return { ...extra, id, name, description, enabled, tags, options, links: { self: `${url}/domains/${id}` } };
}

export function userView(user: User, url: string) {
  return {
    ...user.extra,
    ...{ id: user.id, name: user.name, domain_id: user.domainId, enabled: user.enabled ?? true },
    ...(user.description === undefined ? {} : { description: user.description }),
    ...(user.defaultProjectId === "" ? {} : { default_project_id: user.defaultProjectId }),
    password_expires_at: null,
    options: user.options ?? {},
    links: { self: `${url}/users/${user.id}` },
  };
}

export function groupView({ id, name, domainId, description, extra }: Group, url: string) {
  return { ...extra, id, name, domain_id: domainId, description, links: { self: `${url}/groups/${id}` } };
}

export function roleView({ id, name, domainId, description, options, extra }: Role, url: string) {
  return { ...extra, id, name, domain_id: domainId, description, options, links: { self: `${url}/roles/${id}` } };
}
