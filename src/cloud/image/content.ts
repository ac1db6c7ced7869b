import { existsSync, rmSync, statSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { messageOf } from "../../common/errors.ts";
import { isoSeconds } from "../http/time.ts";
import { digestsOf, partOf, type StoredContent, storeContent } from "../store/content.ts";
import type { Collection } from "../store/store.ts";
import { openDownload } from "./download.ts";
import type { Image } from "./records.ts";
import { storeId } from "./view.ts";

/** How long the fetching of an image's content may take, milliseconds. */
const importTimeoutMs = 1_800_000;

/** How much is fetched at most, bytes. */
const importLimit = 64 * 1024 ** 3;

/** Glance's properties that name the stores that an import is for, and has failed for. */
const [importingTo, failedImport] = ["os_glance_importing_to_stores", "os_glance_failed_import"] as const;

/** What an image becomes with its content. */
export function activated({ size, md5, sha512 }: StoredContent, path: string): Partial<Image> {
  return {
    ...{ status: "active", size, checksum: md5, hashAlgorithm: "sha512", hashValue: sha512 },
    ...{ path, ownsContent: true, updatedAt: isoSeconds() },
  };
}

/** What an image becomes when an import of its begins: an earlier failure is forgotten. */
export function importing({ properties }: Image): Partial<Image> {
  const now = { ...properties, [importingTo]: storeId, [failedImport]: "" };
  return { status: "importing", properties: now, updatedAt: isoSeconds() };
}

function imported(table: Collection<Image>, id: string, content: StoredContent, path: string): boolean {
  const properties = { ...table.get(id)?.properties, [importingTo]: "", [failedImport]: "" };
  return table.patch(id, { ...activated(content, path), properties }) !== undefined;
}

/**
 * Ends what an earlier run of the cloud was receiving: such images wait for content again, without what had come of it. One whose content
 * is staged as a whole waits on for its import. Snapshots of servers and uploads of volumes are begun anew by those who make them.
 */
export function settleInterrupted(table: Collection<Image>, folder: string): void {
  for (const { id, status } of table.list(({ status }) => status !== "active")) {
    if (status !== "saving" && status !== "uploading" && status !== "importing") continue;
    const path = join(folder, id);
    const staged = stagedPath(path);
    for (const part of [partOf(path), partOf(staged)]) rmSync(part, { force: true });
    if (status === "uploading" && existsSync(staged)) {
      table.patch(id, { size: statSync(staged).size });
      continue;
    }
    for (const left of [path, staged]) rmSync(left, { recursive: true, force: true });
    if (status === "importing") fail(table, id);
    else table.patch(id, { status: "queued", size: null });
  }
}

function fail(table: Collection<Image>, id: string): void {
  const properties = { ...table.get(id)?.properties, [importingTo]: "", [failedImport]: storeId };
  table.patch(id, { status: "queued", properties, updatedAt: isoSeconds() });
}

/** One import of an image's content. */
export interface Import {
  id: string;
  uri: string;
  /** Where the content goes. */
  path: string;
  /** The cloud's end: the image is left as it is, for {@link settleInterrupted}. */
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
    if (!imported(table, id, stored, path)) await rm(path, { force: true });
  } catch (error) {
    if (closed.aborted) return;
    log(`image ${id} could not be imported: ${messageOf(error)}`);
    fail(table, id);
  }
}

/** Where content waits that was staged for an import. */
export const stagedPath = (path: string): string => `${path}.staged`;

/** Glance's glance-direct: makes staged content the image's. */
export async function importStaged(
  table: Collection<Image>,
  { id, path, log }: Omit<Import, "uri" | "closed">,
): Promise<void> {
  try {
    await rename(stagedPath(path), path);
    if (!imported(table, id, await digestsOf(path), path)) await rm(path, { force: true });
  } catch (error) {
    log(`image ${id} could not be imported: ${messageOf(error)}`);
    fail(table, id);
  }
}
