import type { Session } from "../session.ts";

/** Neutron's collections whose members carry tags. */
export type TaggedCollection = "floatingips" | "ports" | "routers" | "subnets" | "networks" | "security-groups";

/**
 * Tags a resource that was just made: Neutron takes tags in a call of their own. One that it will not tag is removed again, as
 * nobody would find it by its tag.
 * @param remove deletes the resource
 * @throws whatever the tagging threw
 */
export async function tagOrRemove(
  session: Session,
  made: { collection: TaggedCollection; id: string; tags: string[] | undefined },
  remove: () => Promise<void>,
): Promise<string[]> {
  const { collection, id, tags = [] } = made;
  if (tags.length === 0) return [];
  try {
    await session.request("network", "PUT", `/${collection}/${id}/tags`, { body: { tags } });
  } catch (error) {
    await remove().catch(() => undefined); // the reason why the tagging failed says more
    throw error;
  }
  return tags;
}
