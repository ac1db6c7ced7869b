import { orMissing } from "../missing.ts";
import type { Session } from "../session.ts";

/** A Swift container's settings that Slipway uses. */
export interface Container {
  name: string;
  /** Who may read, e.g. `.r:*` for everybody with the address; empty = the project alone. */
  readAcl: string;
  objects: number;
  bytes: number;
}

/** Anyone who has an object's address may read it; names are not listed. */
export const publicReadAcl = ".r:*";

/** Creates the container or changes its read ACL; one that exists keeps its objects. */
export async function ensureContainer(session: Session, name: string, readAcl = ""): Promise<void> {
  await session.request("object-store", "PUT", containerPath(name), {
    headers: { "x-container-read": readAcl },
    expect: [201, 202, 204],
  });
}

/** The container; undefined where there is none. */
export async function findContainer(session: Session, name: string): Promise<Container | undefined> {
  const found = await orMissing(() => session.request("object-store", "HEAD", containerPath(name)));
  if (found === undefined) return undefined;
  const { headers } = found;
  return {
    name,
    readAcl: headers["x-container-read"] ?? "",
    objects: Number(headers["x-container-object-count"] ?? 0),
    bytes: Number(headers["x-container-bytes-used"] ?? 0),
  };
}

/** Deletes an empty container; one that is gone already is success. */
export async function deleteContainer(session: Session, name: string): Promise<void> {
  await session.request("object-store", "DELETE", containerPath(name), { expect: [204, 404] });
}

/** The address that guests read from: the catalogue's, then container. */
export async function containerUrl(session: Session, name: string): Promise<string> {
  return `${await session.endpoint("object-store")}${containerPath(name)}`;
}

/** A container's path below the account. */
export function containerPath(name: string): string {
  return `/${encodeURIComponent(name)}`;
}
