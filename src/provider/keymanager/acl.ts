import type { PropertyMap } from "../../engine/resource-provider.ts";
import type { Context } from "../kind.ts";
import { isMap, textsOf } from "../schema/values.ts";

interface Acl {
  "project-access": boolean;
  users?: string[];
  created?: string;
  updated?: string;
}

/** Go's zero time: what the official provider writes for a list that nobody has set. */
const never = "0001-01-01T00:00:00Z";

/** Who may read a secret, as Barbican takes it. */
export function aclBody({ read }: PropertyMap): object {
  const given = isMap(read) ? read : {};
  return { read: { "project-access": given.projectAccess !== false, users: textsOf(given, "users") } };
}

/** Who may read a secret, in the form of the state. */
export async function aclState({ session }: Context, id: string): Promise<PropertyMap> {
  const { body } = await session.request<{ read: Acl }>("key-manager", "GET", `/secrets/${id}/acl`);
  const { read } = body;
  return {
    read: {
      projectAccess: read["project-access"],
      users: [...(read.users ?? [])].sort(),
      createdAt: timeOf(read.created),
      updatedAt: timeOf(read.updated),
    },
  };
}

function timeOf(text: string | undefined): string {
  return text === undefined ? never : `${text.slice(0, 19)}Z`;
}
