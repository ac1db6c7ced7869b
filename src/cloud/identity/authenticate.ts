import { z } from "zod";
import { unauthorized } from "../http/api-error.ts";
import { parseBody } from "../http/body.ts";
import { type Accounts, defaultDomain, type Project, passwordMatches, rolesOf, type User } from "./accounts.ts";
import type { Scope } from "./scope.ts";
import type { TokenRecord, Tokens } from "./tokens.ts";

const domain = z.object({ id: z.string().optional(), name: z.string().optional() });
const named = z.object({ id: z.string().optional(), name: z.string().optional(), domain: domain.optional() });

/** `POST /v3/auth/tokens`. Unknown keys pass: clients add strays (pkgcloud sends `auth.tenantName`). */
const loginBody = z.object({
  auth: z.object({
    identity: z.object({
      methods: z.array(z.string()).min(1),
      password: z.object({ user: named.extend({ password: z.string() }) }).optional(),
      token: z.object({ id: z.string() }).optional(),
    }),
    scope: z
      .union([
        z.literal("unscoped"),
        z.object({ project: named.optional(), domain: domain.optional(), system: z.unknown().optional() }),
      ])
      .optional(),
  }),
});

type LoginScope = z.infer<typeof loginBody>["auth"]["scope"];

/** Checks who asks and for what project, and issues a token; every refusal is the same 401. */
export function authenticate(
  accounts: Accounts,
  tokens: Tokens,
  body: unknown,
): { token: string; record: TokenRecord } {
  const { identity, scope } = parseBody(loginBody, body).auth;
  const [method] = identity.methods;
  if (method === "password" && identity.password !== undefined) {
    const user = findUser(accounts, identity.password.user);
    if (user === undefined || !passwordMatches(user, identity.password.user.password)) throw unauthorized();
    return tokens.issue(scopeFor(accounts, user, scope), ["password"]);
  }
  if (method === "token" && identity.token !== undefined) {
    const old = tokens.find(identity.token.id);
    const user = old === undefined ? undefined : accounts.users.get(old.scope.userId);
    if (old === undefined || user === undefined) throw unauthorized();
    return tokens.issue(scopeFor(accounts, user, scope), [...new Set([...old.methods, "token"])], old.expiresAt);
  }
  throw unauthorized();
}

function findUser(accounts: Accounts, wanted: z.infer<typeof named>): User | undefined {
  if (wanted.id !== undefined) return accounts.users.get(wanted.id);
  return inDefaultDomain(wanted.domain) ? accounts.users.find((user) => user.name === wanted.name) : undefined;
}

function findProject(accounts: Accounts, wanted: z.infer<typeof named>): Project | undefined {
  if (wanted.id !== undefined) return accounts.projects.get(wanted.id);
  return inDefaultDomain(wanted.domain) ? accounts.projects.find((project) => project.name === wanted.name) : undefined;
}

function inDefaultDomain(wanted: z.infer<typeof domain> | undefined): boolean {
  return wanted !== undefined && (wanted.id === defaultDomain.id || wanted.name === defaultDomain.name);
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
  if (project === undefined) throw unauthorized();
  const roles = rolesOf(accounts, user.id, project.id);
  if (roles.length === 0) throw unauthorized();
  return { ...unscoped, project: { id: project.id, name: project.name }, roles };
}
