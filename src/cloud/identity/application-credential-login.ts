import { z } from "zod";
import { ApiError, unauthorized } from "../http/api-error.ts";
import { type Accounts, type ApplicationCredential, rolesOf } from "./accounts.ts";
import { delegationOf, malformed, opens, unknownApplicationCredential } from "./application-credentials.ts";
import { findUser, reference } from "./references.ts";
import type { Scope } from "./scope.ts";

/** `auth.identity.application_credential`: by id, or by name and user. */
export const credentialLogin = z.object({
  id: z.string().optional(),
  name: z.string().optional(),
  user: reference.optional(),
  secret: z.string().optional(),
});

type CredentialLogin = z.infer<typeof credentialLogin>;

/**
 * What a login with an application credential may do, and until when.
 * @throws ApiError 404 for an unknown id or user, 400 for an incomplete login, 401 for everything else, as Keystone does it
 */
export function openApplicationCredential(
  accounts: Accounts,
  login: CredentialLogin | undefined,
): { scope: Scope; expiresAt: number | undefined } {
  const credential = findCredential(accounts, login);
  const user = accounts.users.get(credential.userId);
  const project = accounts.projects.get(credential.projectId);
  if (user === undefined || project === undefined || !opens(credential, login?.secret ?? "")) throw unauthorized();
  if (user.enabled === false || project.enabled === false) throw unauthorized();
  const roles = rolesOf(accounts, user.id, project.id).filter((role) => credential.roles.includes(role));
  if (roles.length === 0) throw unauthorized();
  return {
    scope: {
      userId: user.id,
      userName: user.name,
      project: { id: project.id, name: project.name },
      roles,
      applicationCredential: delegationOf(accounts, credential),
    },
    expiresAt: credential.expiresAt ?? undefined,
  };
}

function findCredential(accounts: Accounts, login: CredentialLogin | undefined): ApplicationCredential {
  if (login === undefined) throw malformed("Expecting to find application_credential in identity.");
  if (login.id) {
    const found = accounts.applicationCredentials.get(login.id);
    if (found === undefined) throw unknownApplicationCredential(login.id);
    return found;
  }
  if (!login.name) throw malformed("Expecting to find name or ID in application credential.");
  if (login.user === undefined) throw malformed("Expecting to find user in application credential.");
  if (!login.user.id && login.user.domain === undefined) throw malformed("Expecting to find domain in user.");
  const user = findUser(accounts, login.user);
  if (user === undefined) throw new ApiError(404, `Could not find user: ${login.user.id ?? login.user.name}.`);
  const found = accounts.applicationCredentials.find((one) => one.userId === user.id && one.name === login.name);
  if (found === undefined) throw unauthorized();
  return found;
}
