import { z } from "zod";
import { type Accounts, defaultDomain, type Project, type User } from "./accounts.ts";

/** How a login names a domain. */
export const domainReference = z.object({ id: z.string().optional(), name: z.string().optional() });

/** How a login names a user or a project: by id, or by name within a domain. */
export const reference = z.object({
  id: z.string().optional(),
  name: z.string().optional(),
  domain: domainReference.optional(),
});

type Reference = z.infer<typeof reference>;

/** The user that is meant; undefined for none. */
export function findUser(accounts: Accounts, wanted: Reference): User | undefined {
  if (wanted.id !== undefined) return accounts.users.get(wanted.id);
  return inDefaultDomain(wanted.domain) ? accounts.users.find((user) => user.name === wanted.name) : undefined;
}

/** The project that is meant; undefined for none. */
export function findProject(accounts: Accounts, wanted: Reference): Project | undefined {
  if (wanted.id !== undefined) return accounts.projects.get(wanted.id);
  return inDefaultDomain(wanted.domain) ? accounts.projects.find((project) => project.name === wanted.name) : undefined;
}

function inDefaultDomain(wanted: z.infer<typeof domainReference> | undefined): boolean {
  return wanted !== undefined && (wanted.id === defaultDomain.id || wanted.name === defaultDomain.name);
}
