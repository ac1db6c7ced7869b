import { join } from "node:path";
import type { Manifest } from "../guest/manifest.ts";
import { folderStore } from "../release/folder-store.ts";
import type { ObjectStore } from "../release/object-store.ts";
import { publishedSource } from "../release/publication.ts";
import { inboxUrl, pushRelease } from "../release/push.ts";
import { swiftStore } from "../release/swift-store.ts";
import { type Access, withHost } from "./host-access.ts";
import type { Workspace } from "./workspace.ts";

/** How a stack's hosts get their release. */
export interface Delivery {
  /** Where it is published. */
  store: ObjectStore;
  /** Brings a published release into a host; undefined where hosts fetch it by themselves. */
  bring?: (manifest: Manifest, access: Access) => Promise<void>;
}

/**
 * The stack's way of delivery: what its configuration says, else what it was published by, else the cloud's object store where the
 * cloud has one. It is part of the hosts' user-data, and so must not change with the surroundings.
 */
export async function deliveryOf(workspace: Workspace): Promise<Delivery> {
  const { session, stackHome } = workspace;
  if (!(await isPushed(workspace))) return { store: swiftStore(session) };
  const folder = folderOf(stackHome);
  return {
    store: pushedFrom(stackHome),
    bring: (manifest, access) =>
      withHost(workspace, access, (connection) =>
        pushRelease(connection, { folder, manifest, log: access.progress.note, signal: access.signal }),
      ),
  };
}

/** Every place where a release of the stack may lie: its way of delivery may have been another one before. */
export async function possibleStores({ session, stackHome }: Workspace): Promise<ObjectStore[]> {
  const swift = (await session.offers("object-store")) ? [swiftStore(session)] : [];
  return [pushedFrom(stackHome), ...swift];
}

function pushedFrom(stackHome: string): ObjectStore {
  return folderStore(folderOf(stackHome), inboxUrl);
}

const folderOf = (stackHome: string) => join(stackHome, "publication");

async function isPushed({ config, session, stackHome }: Workspace): Promise<boolean> {
  if (config.source !== undefined) return config.source === "push";
  const published = await publishedSource(stackHome);
  if (published !== undefined) return published === inboxUrl;
  return !(await session.offers("object-store"));
}
