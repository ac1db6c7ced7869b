import { z } from "zod";
import { ApiError, forbidden, unauthorized } from "../http/api-error.ts";
import { parseBody } from "../http/body.ts";
import { type Accounts, passwordMatches, rolesOf, type User } from "./accounts.ts";
import { credentialLogin, openApplicationCredential } from "./application-credential-login.ts";
import { domainReference, findProject, findUser, reference } from "./references.ts";
import type { Scope } from "./scope.ts";
import type { TokenRecord, Tokens } from "./tokens.ts";

/** `POST /v3/auth/tokens`. Unknown keys pass: clients add strays (pkgcloud sends `auth.tenantName`). */
const loginBody = z.object({
  auth: z.object({
    identity: z.object({
      methods: z.array(z.string()).min(1),
      password: z.object({ user: reference.extend({ password: z.string() }) }).optional(),
      token: z.object({ id: z.string() }).optional(),
      application_credential: credentialLogin.optional(),
    }),
    scope: z
      .union([
        z.literal("unscoped"),
        z.object({ project: reference.optional(), domain: domainReference.optional(), system: z.unknown().optional() }),
      ])
      .optional(),
  }),
});

type LoginScope = z.infer<typeof loginBody>["auth"]["scope"];

/** Checks who asks and for what project, and issues a token; a refusal does not tell what was wrong, but for application credentials. */
export function authenticate(
  accounts: Accounts,
  tokens: Tokens,
  body: unknown,
): { token: string; record: TokenRecord } {
  const { identity, scope } = parseBody(loginBody, body).auth;
  const [method] = identity.methods;
  if (method === "application_credential") {
    if (scope !== undefined) {
      const problem = "Application credentials cannot request a scope.";
      throw new ApiError(401, `Error authenticating with application credential: ${problem}`);
    }
    const opened = openApplicationCredential(accounts, identity.application_credential);
    return tokens.issue(opened.scope, [method], opened.expiresAt);
  }
  if (method === "password" && identity.password !== undefined) {
    const user = findUser(accounts, identity.password.user);
    if (user === undefined || user.enabled === false || !passwordMatches(user, identity.password.user.password))
      throw unauthorized();
    return tokens.issue(scopeFor(accounts, user, scope), ["password"]);
  }
  if (method === "token" && identity.token !== undefined) {
    const old = tokens.find(identity.token.id);
    const user = old === undefined ? undefined : accounts.users.get(old.scope.userId);
    if (old === undefined || user === undefined) throw unauthorized();
    if (old.scope.applicationCredential !== undefined) {
      throw forbidden("Using a delegated token to create another token is not allowed.");
    }
    return tokens.issue(scopeFor(accounts, user, scope), [...new Set([...old.methods, "token"])], old.expiresAt);
  }
  throw unauthorized();
}

/** Without a scope the user's default project counts, as Keystone does it; domain and system scopes have no roles here. */
function scopeFor(accounts: Accounts, user: User, wanted: LoginScope): Scope {
  const unscoped: Scope = { userId: user.id, userName: user.name, roles: [] };
  if (wanted === "unscoped") return unscoped;
  if (wanted !== undefined && wanted.project === undefined) throw unauthorized();
  const project =
    wanted?.project === undefined
      ? accounts.projects.get(user.defaultProjectId)
      : findProject(accounts, wanted.project);
  if (project === undefined || project.enabled === false) throw unauthorized();
  const roles = rolesOf(accounts, user.id, project.id);
  if (roles.length === 0) throw unauthorized();
  return { ...unscoped, project: { id: project.id, name: project.name }, roles };
}
