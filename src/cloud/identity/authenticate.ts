import { z } from "zod";
import { ApiError, forbidden, unauthorized } from "../http/api-error.ts";
import type { Accounts, User } from "./accounts.ts";
import { credentialLogin, openApplicationCredential } from "./application-credential-login.ts";
import { liveScope, type TokenGrounds, type TokenTarget } from "./live-scope.ts";
import { malformed, parsePart } from "./malformed.ts";
import { passwordMatches } from "./passwords.ts";
import { domainReference, findDomain, findProject, findUser, reference } from "./references.ts";
import type { TokenRecord, Tokens } from "./tokens.ts";

/** `POST /v3/auth/tokens`. Unknown keys pass: clients add strays (pkgcloud sends `auth.tenantName`). */
const loginSchema = z.object({
  identity: z.looseObject({
    methods: z.array(z.string()).min(1),
    password: z.object({ user: reference.extend({ password: z.string() }) }).optional(),
    token: z.object({ id: z.string() }).optional(),
    application_credential: credentialLogin.optional(),
  }),
  scope: z
    .union([
      z.literal("unscoped"),
      z.object({
        project: reference.optional(),
        domain: domainReference.optional(),
        system: z.unknown().optional(),
        unscoped: z.unknown().optional(),
      }),
    ])
    .optional(),
});

type Login = z.infer<typeof loginSchema>;

/** What was proved: who asks, and what else limits the token. */
interface Proof {
  user: User;
  methods: string[];
  notAfter?: number;
  chainAuditId?: string;
}

/** The methods of a Keystone as it comes; those that this cloud does not know it refuses as one that is not asked properly. */
const known = ["external", "password", "token", "oauth1", "mapped", "application_credential"];

/** Checks who asks and for what, and issues a token; a refusal does not tell what was wrong, but for application credentials. */
export function authenticate(
  accounts: Accounts,
  tokens: Tokens,
  body: unknown,
): { token: string; record: TokenRecord } {
  if ((body as { auth?: unknown } | null | undefined)?.auth === undefined) {
    throw malformed("Expecting to find auth in request body.");
  }
  const login = parsePart(loginSchema, body, "auth");
  const { methods } = login.identity;
  const missing = methods.find((method) => login.identity[method] === undefined);
  if (missing !== undefined) throw malformed(`Expecting to find ${missing} in identity.`);
  if (methods.some((method) => !["password", "token", "application_credential"].includes(method))) {
    throw new ApiError(401, "Attempted to authenticate with an unsupported method.", "", {
      identity: { methods: known },
    });
  }
  if (methods.includes("application_credential")) {
    if (login.scope !== undefined) {
      const problem = "Application credentials cannot request a scope.";
      throw new ApiError(401, `Error authenticating with application credential: ${problem}`);
    }
    const { grounds, expiresAt } = openApplicationCredential(accounts, login.identity.application_credential);
    return tokens.issue({
      grounds,
      methods: ["application_credential"],
      ...(expiresAt ? { notAfter: expiresAt } : {}),
    });
  }
  const target = wantedTarget(accounts, login.scope);
  const { user, ...rest } = prove(accounts, tokens, login);
  const grounds: TokenGrounds = { userId: user.id, target: target ?? defaultTarget(accounts, user) };
  return tokens.issue({ grounds, ...rest });
}

/** @throws ApiError 401, 403, 404 */
function prove(accounts: Accounts, tokens: Tokens, { identity }: Login): Proof {
  const proofs = identity.methods.map((method) => {
    if (method === "password" && identity.password !== undefined) {
      return proveByPassword(accounts, identity.password.user);
    }
    if (method === "token" && identity.token !== undefined) return proveByToken(accounts, tokens, identity.token.id);
    throw unauthorized();
  });
  const [first] = proofs;
  if (first === undefined || proofs.some(({ user }) => user.id !== first.user.id)) throw unauthorized();
  const methods = [...new Set(proofs.flatMap((proof) => proof.methods))];
  return Object.assign({}, ...proofs, { methods });
}

function proveByPassword(accounts: Accounts, given: z.infer<typeof reference> & { password: string }): Proof {
  if (given.id === undefined && given.name === undefined) throw malformed("Expecting to find id or name in user.");
  if (given.id === undefined && given.domain === undefined) throw malformed("Expecting to find domain in user.");
  const user = findUser(accounts, given);
  if (user === undefined || user.enabled === false || !passwordMatches(user, given.password)) throw unauthorized();
  return { user, methods: ["password"] };
}

function proveByToken(accounts: Accounts, tokens: Tokens, id: string): Proof {
  const old = tokens.find(id);
  if (old === undefined) throw new ApiError(404, "Could not recognize Fernet token");
  const user = accounts.users.get(old.userId);
  if (user === undefined) throw unauthorized();
  if (old.applicationCredentialId !== undefined) {
    throw forbidden("Using a delegated token to create another token is not allowed.");
  }
  const chainAuditId = old.auditIds.at(-1);
  return {
    ...{ user, methods: [...new Set([...old.methods, "token"])], notAfter: old.expiresAt },
    ...(chainAuditId === undefined ? {} : { chainAuditId }),
  };
}

/** What the login names; undefined where it names nothing. @throws ApiError 400 for a scope of none or two kinds, 401 for an unknown place */
function wantedTarget(accounts: Accounts, scope: Login["scope"]): TokenTarget | undefined {
  if (scope === undefined) return undefined;
  if (scope === "unscoped") return { kind: "unscoped" };
  const kinds = (["project", "domain", "system", "unscoped"] as const).filter((kind) => scope[kind] !== undefined);
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) {
    throw malformed("Expecting to find system, project, domain, OS-TRUST:trust or unscoped in scope.");
  }
  if (kind === "system" || kind === "unscoped") return { kind };
  if (kind === "project" && scope.project?.id === undefined && scope.project?.domain === undefined) {
    throw malformed("Expecting to find domain in project.");
  }
  const place =
    kind === "project" ? findProject(accounts, scope.project ?? {}) : findDomain(accounts, scope.domain ?? {});
  if (place === undefined) throw unauthorized();
  return { kind, id: place.id };
}

/** Without a scope the user's default project counts, where the user may work in it. */
function defaultTarget(accounts: Accounts, { id: userId, defaultProjectId }: User): TokenTarget {
  const target: TokenTarget = { kind: "project", id: defaultProjectId };
  return liveScope(accounts, { userId, target }) === undefined ? { kind: "unscoped" } : target;
}
