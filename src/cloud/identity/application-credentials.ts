import { randomBytes, scryptSync, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { now } from "../clock/clock.ts";
import { ApiError } from "../http/api-error.ts";
import { ensureAccessRule } from "./access-rules.ts";
import { type Accounts, type ApplicationCredential, newId } from "./accounts.ts";
import { malformed, parsePart } from "./malformed.ts";
import type { Scope } from "./scope.ts";
import { projectOf } from "./tokens.ts";

const roleReference = z.union([z.strictObject({ id: z.string() }), z.strictObject({ name: z.string() })]);
const accessRule = z.union([
  z.looseObject({ id: z.string() }),
  z.strictObject({
    service: z.string().min(1),
    path: z.string().max(225).regex(/^\//, "must start with a slash"),
    method: z.enum(["POST", "GET", "HEAD", "PATCH", "PUT", "DELETE"]),
  }),
]);

/** `POST /v3/users/{id}/application_credentials` */
const createSchema = z.strictObject({
  name: z.string().max(255).regex(/\S/, "must not be empty"),
  secret: z.string().nullish(),
  description: z.string().nullish(),
  expires_at: z.string().nullish(),
  unrestricted: z.boolean().nullish(),
  roles: z.array(roleReference).nullish(),
  access_rules: z.array(accessRule).nullish(),
});

/**
 * Makes one for the user and the project of the token.
 * @returns the credential and its secret, which nobody can ask for again
 */
export function createApplicationCredential(
  accounts: Accounts,
  scope: Scope,
  body: unknown,
): { credential: ApplicationCredential; secret: string } {
  const wanted = parsePart(createSchema, body, "application_credential");
  const { userId } = scope;
  const { id: projectId } = projectOf(scope);
  if (accounts.applicationCredentials.find((one) => one.userId === userId && one.name === wanted.name) !== undefined) {
    const conflict = "Conflict occurred attempting to store application_credential";
    throw new ApiError(409, `${conflict} - Duplicate entry found with name ${wanted.name}.`);
  }
  const secret = wanted.secret || randomBytes(64).toString("base64url");
  const salt = randomBytes(16).toString("hex");
  const credential = accounts.applicationCredentials.put({
    id: newId(),
    name: wanted.name,
    description: wanted.description ?? null,
    userId,
    projectId,
    roles: rolesFor(accounts, scope, wanted.roles ?? []),
    secretHash: hash(secret, salt).toString("hex"),
    salt,
    expiresAt: wanted.expires_at ? momentOf(wanted.expires_at) : null,
    unrestricted: wanted.unrestricted ?? null,
    accessRuleIds: (wanted.access_rules ?? []).map((rule) => ensureAccessRule(accounts, userId, rule).id),
  });
  return { credential, secret };
}

/** Whether someone who knows this secret may log in with the credential now. */
export function opens({ secretHash, salt, expiresAt }: ApplicationCredential, secret: string): boolean {
  return timingSafeEqual(Buffer.from(secretHash, "hex"), hash(secret, salt)) && (expiresAt ?? Infinity) > now();
}

export function unknownApplicationCredential(id: string): ApiError {
  return new ApiError(404, `Could not find Application Credential: ${id}.`);
}

function hash(secret: string, salt: string): Buffer {
  return scryptSync(secret, salt, 32);
}

/** The names of roles that a credential gets: none but the token's own, and all of them unless some are named. */
function rolesFor({ roles }: Accounts, scope: Scope, wanted: z.infer<typeof roleReference>[]): string[] {
  if (wanted.length === 0) return scope.roles;
  return wanted.map((reference) => {
    const role =
      "id" in reference
        ? roles.get(reference.id)
        : roles.find(({ name, domainId }) => name === reference.name && domainId === null);
    if (role === undefined && "name" in reference) throw new ApiError(404, `Role ${reference.name} is not defined`);
    if (role !== undefined && scope.roles.includes(role.name)) return role.name;
    const problem = "Cannot create an application credential with unassigned role";
    throw new ApiError(400, `Invalid application credential: ${problem}`);
  });
}

function momentOf(text: string): number {
  const iso = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?$/.test(text)
    ? Date.parse(text.replace(/Z?$/, "Z"))
    : Number.NaN;
  if (Number.isNaN(iso)) throw malformed("Timestamp not in expected format.");
  if (iso < now()) throw malformed("The 'expires_at' must not be before now.");
  return iso;
}
