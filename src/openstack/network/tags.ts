import { requestNetwork } from "../pkgcloud/call.ts";
import type { Session } from "../session.ts";
import type { TaggedCollection } from "./collections.ts";

/**
 * Tags a resource that was just made: Neutron takes tags in a call of their own. One that it will not tag is removed again, as
 * nobody would find it by its tag.
 * @throws whatever the tagging threw
 */
export async function tagOrRemove(
  session: Session,
  collection: TaggedCollection,
  id: string,
  remove: (session: Session, id: string) => Promise<void>,
  tags: string[] = [],
): Promise<string[]> {
  if (tags.length === 0) return [];
  try {
    await requestNetwork(session, { method: "PUT", path: `${collection}/${id}/tags`, body: { tags } });
  } catch (error) {
    await remove(session, id).catch(() => undefined); // the reason why the tagging failed says more
    throw error;
  }
  return tags;
}
