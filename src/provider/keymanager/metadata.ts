import type { PropertyMap } from "../../engine/resource-provider.ts";
import type { Context } from "../kind.ts";
import { isMap } from "../schema/values.ts";

/** What is noted of a secret, also by others. */
export async function metadataOf({ session }: Context, id: string): Promise<PropertyMap> {
  const { body } = await session.request<{ metadata: PropertyMap }>("key-manager", "GET", pathOf(id));
  return body.metadata;
}

/** The program's notes are there; foreign ones stay; those that the program had before and has no more are gone. */
export async function ensureMetadata(
  { session }: Context,
  id: string,
  { metadata }: PropertyMap,
  present: PropertyMap,
  former: string[] = [],
): Promise<void> {
  const wanted = isMap(metadata) ? metadata : {};
  for (const key of former.filter((one) => wanted[one] === undefined && present[one] !== undefined)) {
    await session.request("key-manager", "DELETE", `${pathOf(id)}/${encodeURIComponent(key)}`);
  }
  for (const [key, value] of Object.entries(wanted)) {
    const body = { key, value };
    if (present[key] === undefined) await session.request("key-manager", "POST", pathOf(id), { body });
    else if (present[key] !== value) {
      await session.request("key-manager", "PUT", `${pathOf(id)}/${encodeURIComponent(key)}`, { body });
    }
  }
}

function pathOf(id: string): string {
  return `/secrets/${id}/metadata`;
}
