import { z } from "zod";
import { ApiError, unauthorized } from "../http/api-error.ts";
import type { Accounts, ApplicationCredential } from "./accounts.ts";
import { opens, unknownApplicationCredential } from "./application-credentials.ts";
import type { TokenGrounds } from "./live-scope.ts";
import { malformed } from "./malformed.ts";
import { findUser, reference } from "./references.ts";

/** `auth.identity.application_credential`: by id, or by name and user. */
export const credentialLogin = z.object({
  id: z.string().optional(),
  name: z.string().optional(),
  user: reference.optional(),
  secret: z.string().optional(),
});

type CredentialLogin = z.infer<typeof credentialLogin>;

/**
 * What a login with an application credential is for, and until when.
 * @throws ApiError 404 for an unknown id or user, 400 for an incomplete login, 401 for everything else, as Keystone does it
 */
export function openApplicationCredential(
  accounts: Accounts,
  login: CredentialLogin | undefined,
): { grounds: TokenGrounds; expiresAt: number | undefined } {
  const credential = findCredential(accounts, login);
  if (!opens(credential, login?.secret ?? "")) throw unauthorized();
  const { id: applicationCredentialId, userId, projectId, expiresAt } = credential;
  const grounds = { userId, target: { kind: "project", id: projectId }, applicationCredentialId } as const;
  return { grounds, expiresAt: expiresAt ?? undefined };
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
