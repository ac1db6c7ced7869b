import { Readable } from "node:stream";
import { messageOf } from "../../common/errors.ts";
import { isoSeconds } from "../http/time.ts";
import { type StoredContent, storeContent } from "../store/content.ts";
import type { Collection } from "../store/store.ts";
import type { Image } from "./records.ts";

/** How long the fetching of an image's content may take, milliseconds. */
const importTimeoutMs = 1_800_000;

/** What an image becomes with its content. */
export function activated({ size, md5, sha512 }: StoredContent, path: string): Partial<Image> {
  return {
    ...{ status: "active", size, checksum: md5, hashAlgorithm: "sha512", hashValue: sha512 },
    ...{ path, ownsContent: true, updatedAt: isoSeconds() },
  };
}

/**
 * Glance's web-download: fetches the content behind the answer. Where that fails the image is `queued` again, and says for which stores.
 */
export async function importContent(
  table: Collection<Image>,
  id: string,
  uri: string,
  path: string,
  log: (line: string) => void,
): Promise<void> {
  try {
    const answer = await fetch(uri, { signal: AbortSignal.timeout(importTimeoutMs) });
    if (!answer.ok || answer.body === null) throw new Error(`${uri} answered ${answer.status}`);
    const stored = await storeContent(Readable.fromWeb(answer.body), path);
    table.patch(id, activated(stored, path));
  } catch (error) {
    log(`image ${id} could not be imported: ${messageOf(error)}`);
    const properties = { ...table.get(id)?.properties, os_glance_failed_import: "file" };
    table.patch(id, { status: "queued", properties, updatedAt: isoSeconds() });
  }
}
