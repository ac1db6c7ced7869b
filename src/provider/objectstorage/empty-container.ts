import { orMissing } from "../../openstack/missing.ts";
import { containerPath } from "../../openstack/object/containers.ts";
import { objectPath } from "../../openstack/object/objects.ts";
import type { Session } from "../../openstack/session.ts";

/** One line of a listing with versions. */
interface Line {
  name: string;
  version_id?: string;
}

/** Pages that are deleted before giving up: somebody may be writing all the time. */
const maxPages = 10_000;

/** Deletes every object of a container, with all its versions. */
export async function emptyContainer(session: Session, name: string): Promise<void> {
  for (let page = 0; page < maxPages; page += 1) {
    const lines = await list(session, name); // the first page again: what was on it is gone
    if (lines.length === 0) return;
    for (const line of lines) await remove(session, name, line);
  }
}

async function list(session: Session, name: string): Promise<Line[]> {
  const path = containerPath(name);
  const found = await orMissing(() =>
    session.request<Line[]>("object-store", "GET", path, {
      query: { format: "json", versions: true },
      expect: [200, 204],
    }),
  );
  return found?.body ?? [];
}

async function remove(session: Session, container: string, { name, version_id: version }: Line): Promise<void> {
  await orMissing(() =>
    session.request("object-store", "DELETE", objectPath(container, name), {
      ...(version === undefined ? {} : { query: { "version-id": version } }),
    }),
  );
}
