import type { FastifyInstance } from "fastify";
import { ApiError, forbidden } from "../http/api-error.ts";
import { isoMicrosNoZone } from "../http/time.ts";
import { accessRuleView, unknownAccessRule } from "./access-rules.ts";
import type { Accounts, ApplicationCredential } from "./accounts.ts";
import { createApplicationCredential, unknownApplicationCredential } from "./application-credentials.ts";
import type { IdentityContext } from "./context.ts";
import { accessRulesOf } from "./delegation.ts";
import { isAdmin, type Scope } from "./scope.ts";

type OfUser = { Params: { userId: string }; Querystring: { name?: string } };
type OfOne = { Params: { userId: string; id: string } };

/** Keystone's `/v3/users/{id}/application_credentials` and `/v3/users/{id}/access_rules`; behind `requireToken`. */
export function applicationCredentialRoutes(
  app: FastifyInstance,
  { store, accounts, tokens, url }: IdentityContext,
): void {
  const { applicationCredentials, accessRules } = accounts;
  const self = (path: string) => ({ self: `${url()}/${path}` });
  const list = (path: string) => ({ ...self(path), next: null, previous: null });
  const view = (credential: ApplicationCredential) => ({
    ...applicationCredentialView(accounts, credential),
    links: self(`application_credentials/${credential.id}`),
  });
  const ownOne = ({ id }: OfOne["Params"], scope: Scope, action: string): ApplicationCredential => {
    const credential = applicationCredentials.get(id);
    if (credential === undefined) throw unknownApplicationCredential(id);
    requireOwner(scope, credential.userId, action);
    return credential;
  };

  const credentials = "/v3/users/:userId/application_credentials";
  app.get<OfUser>(credentials, ({ scope, params: { userId }, query }) => {
    requireOwner(scope, userId, "list_application_credentials");
    const own = applicationCredentials.list(
      (one) => one.userId === userId && (query.name === undefined || one.name === query.name),
    );
    return { application_credentials: own.map(view), links: list(`users/${userId}/application_credentials`) };
  });
  app.post<OfUser>(credentials, ({ scope, params, body }, reply) => {
    if (scope.userId !== params.userId) throw forbidden("identity:create_application_credential");
    requireUnrestricted(scope);
    const { credential, secret } = store.transaction(() => createApplicationCredential(accounts, scope, body));
    return reply.code(201).send({ application_credential: { ...view(credential), secret } });
  });
  app.get<OfOne>(`${credentials}/:id`, ({ scope, params }) => ({
    application_credential: view(ownOne(params, scope, "get_application_credential")),
  }));
  app.delete<OfOne>(`${credentials}/:id`, ({ scope, params }, reply) => {
    const { id } = ownOne(params, scope, "delete_application_credential");
    requireUnrestricted(scope);
    applicationCredentials.delete(id);
    tokens.revokeOf(id);
    return reply.code(204).send();
  });

  const rules = "/v3/users/:userId/access_rules";
  const ownRule = ({ userId, id }: OfOne["Params"], scope: Scope, action: string) => {
    requireOwner(scope, userId, action);
    const rule = accessRules.get(id);
    if (rule === undefined || rule.userId !== userId) throw unknownAccessRule(id);
    return rule;
  };
  app.get<OfUser>(rules, ({ scope, params: { userId } }) => {
    requireOwner(scope, userId, "list_access_rules");
    const own = accessRules.list((rule) => rule.userId === userId);
    const views = own.map((rule) => ({ ...accessRuleView(rule), links: self(`access_rules/${rule.id}`) }));
    return { access_rules: views, links: list(`users/${userId}/access_rules`) };
  });
  app.get<OfOne>(`${rules}/:id`, ({ scope, params }) => {
    const rule = ownRule(params, scope, "get_access_rule");
    return { access_rule: { ...accessRuleView(rule), links: self(`access_rules/${rule.id}`) } };
  });
  app.delete<OfOne>(`${rules}/:id`, ({ scope, params }, reply) => {
    const { id } = ownRule(params, scope, "delete_access_rule");
    const user = applicationCredentials.find((one) => one.accessRuleIds.includes(id));
    if (user !== undefined) throw new ApiError(403, "May not delete access rule in use");
    accessRules.delete(id);
    return reply.code(204).send();
  });
}

/** Without links and, as ever after its making, without its secret. */
function applicationCredentialView(accounts: Accounts, credential: ApplicationCredential) {
  const { id, name, description, userId, projectId, expiresAt, unrestricted } = credential;
  const restricting = accessRulesOf(accounts, credential)?.map(accessRuleView);
  return {
    ...{ id, name, description, unrestricted },
    user_id: userId,
    project_id: projectId,
    system: null,
    expires_at: expiresAt === null ? null : isoMicrosNoZone(new Date(expiresAt).toISOString()),
    roles: accounts.roles
      .list((role) => role.domainId === null && credential.roles.includes(role.name))
      .map((role) => ({
        id: role.id,
        name: role.name,
        domain_id: null,
        description: role.description,
        options: role.options,
      })),
    ...(restricting === undefined ? {} : { access_rules: restricting }),
  };
}

function requireOwner(scope: Scope, userId: string, action: string): void {
  if (scope.userId !== userId && !isAdmin(scope)) throw forbidden(`identity:${action}`);
}

/** An application credential makes and deletes others only where its maker allowed it. */
function requireUnrestricted({ applicationCredential }: Scope): void {
  if (applicationCredential?.restricted !== true) return;
  throw forbidden(
    "Using method 'application_credential' is not allowed for managing additional application credentials.",
  );
}
