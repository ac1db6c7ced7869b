import { z } from "zod";
import type { Accounts, Project, User } from "./accounts.ts";

/** How a login names a domain. */
export const domainReference = z.object({ id: z.string().optional(), name: z.string().optional() });

/** How a login names a user or a project: by id, or by name within a domain. */
export const reference = z.object({
  id: z.string().optional(),
  name: z.string().optional(),
  domain: domainReference.optional(),
});

type Reference = z.infer<typeof reference>;

/** The domain that is meant; undefined for none. */
export function findDomain({ projects }: Accounts, wanted: z.infer<typeof domainReference>): Project | undefined {
  const found =
    wanted.id === undefined
      ? projects.find(({ isDomain, name }) => isDomain && name === wanted.name)
      : projects.get(wanted.id);
  return found?.isDomain ? found : undefined;
}

/** The user that is meant; undefined for none. */
export function findUser(accounts: Accounts, wanted: Reference): User | undefined {
  if (wanted.id !== undefined) return accounts.users.get(wanted.id);
  const domain = findDomain(accounts, wanted.domain ?? {});
  if (domain === undefined) return undefined;
  return accounts.users.find(({ name, domainId }) => name === wanted.name && domainId === domain.id);
}

/** The project that is meant; undefined for none. */
export function findProject(accounts: Accounts, wanted: Reference): Project | undefined {
  if (wanted.id !== undefined) {
    const found = accounts.projects.get(wanted.id);
    return found?.isDomain ? undefined : found;
  }
  const domain = findDomain(accounts, wanted.domain ?? {});
  if (domain === undefined) return undefined;
  return accounts.projects.find(({ name, domainId }) => name === wanted.name && domainId === domain.id);
}
