import { rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { messageOf } from "../../common/errors.ts";
import { isoSeconds } from "../http/time.ts";
import { type StoredContent, storeContent } from "../store/content.ts";
import type { Collection } from "../store/store.ts";
import { openDownload } from "./download.ts";
import type { Image } from "./records.ts";

/** How long the fetching of an image's content may take, milliseconds. */
const importTimeoutMs = 1_800_000;

/** How much is fetched at most, bytes. */
const importLimit = 64 * 1024 ** 3;

/** Glance's property that names the stores that an import failed for. */
const failedImport = "os_glance_failed_import";

/** What an image becomes with its content. */
export function activated({ size, md5, sha512 }: StoredContent, path: string): Partial<Image> {
  return {
    ...{ status: "active", size, checksum: md5, hashAlgorithm: "sha512", hashValue: sha512 },
    ...{ path, ownsContent: true, updatedAt: isoSeconds() },
  };
}

/** What an image becomes when an import of its begins: an earlier failure is forgotten. */
export function importing({ properties }: Image): Partial<Image> {
  const { [failedImport]: _, ...rest } = properties;
  return { status: "importing", properties: rest, updatedAt: isoSeconds() };
}

/** Ends the imports that an earlier run of the cloud has not finished. */
export function failInterruptedImports(table: Collection<Image>): void {
  for (const { id } of table.list(({ status }) => status === "importing")) fail(table, id);
}

function fail(table: Collection<Image>, id: string): void {
  const properties = { ...table.get(id)?.properties, [failedImport]: "file" };
  table.patch(id, { status: "queued", properties, updatedAt: isoSeconds() });
}

/** One import of an image's content. */
export interface Import {
  id: string;
  uri: string;
  /** Where the content goes. */
  path: string;
  /** The cloud's end: the image is left as it is, for {@link failInterruptedImports}. */
  closed: AbortSignal;
  log: (line: string) => void;
}

/**
 * Glance's web-download: fetches the content behind the answer. Where that fails the image is `queued` again, and says for which stores.
 */
export async function importContent(table: Collection<Image>, { id, uri, path, closed, log }: Import): Promise<void> {
  try {
    const signal = AbortSignal.any([closed, AbortSignal.timeout(importTimeoutMs)]);
    const content = await openDownload(uri, signal);
    const stored = await storeContent(Readable.fromWeb(content), path, importLimit);
    if (closed.aborted) return;
    // the image may have been deleted meanwhile
    if (table.patch(id, activated(stored, path)) === undefined) await rm(path, { force: true });
  } catch (error) {
    if (closed.aborted) return;
    log(`image ${id} could not be imported: ${messageOf(error)}`);
    fail(table, id);
  }
}
