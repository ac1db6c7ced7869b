import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Digest } from "../common/digest.ts";
import { causeOf, messageOf } from "../common/errors.ts";
import { pathExists } from "../common/files.ts";
import { CommandError, run } from "../common/process.ts";
import { fetchSource } from "./fetch-source.ts";

/** A file below the stack's source URL. */
export interface FileRef {
  path: string;
  digest: Digest;
  size: number;
}

/** What trying again does not change: an answer, or a disk that takes no more. */
class Refused extends Error {}

const TRY_TIMEOUT_MS = 120_000;
const PAUSE_MS = 1000;

/**
 * Fetches a file and checks that it is what its digest says, then unpacks it into `folder`, which appears whole or not at all.
 * A folder that is there already is left alone.
 */
export async function ensureUnpacked(
  sourceUrl: string,
  ref: FileRef,
  folder: string,
  timeoutMs: number,
): Promise<void> {
  await unpackAs(folder, ref.path, timeoutMs, (archive) =>
    download(`${sourceUrl}/${ref.path}`, ref, archive, timeoutMs),
  );
}

/** Fetches a file that is what its digest says; it appears whole or not at all. One that is there already is left alone. */
export async function ensureFetched(sourceUrl: string, ref: FileRef, file: string, timeoutMs: number): Promise<void> {
  if (await pathExists(file)) return;
  await mkdir(dirname(file), { recursive: true });
  const work = await mkdtemp(`${file}.`);
  try {
    const fetched = join(work, "file");
    await download(`${sourceUrl}/${ref.path}`, ref, fetched, timeoutMs);
    await chmod(fetched, 0o644);
    await rename(fetched, file);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/**
 * Unpacks an archive into a folder, which appears whole or not at all.
 * @param path what the archive is called in messages
 * @param bring puts the archive where it is told
 */
export async function unpackAs(
  folder: string,
  path: string,
  timeoutMs: number,
  bring: (archive: string) => Promise<void>,
): Promise<void> {
  await mkdir(dirname(folder), { recursive: true });
  const work = await mkdtemp(`${folder}.`);
  try {
    const archive = join(work, "archive");
    const tree = join(work, "tree");
    await bring(archive);
    await mkdir(tree);
    await run("tar", ["-x", "-f", archive, "-C", tree, "--no-same-owner"], { timeoutMs }).catch(unpackable(path));
    await rename(tree, folder);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function unpackable(path: string): (cause: unknown) => never {
  return (cause) => {
    const said = cause instanceof CommandError ? cause.stderr : messageOf(cause);
    throw new Error(`${path} cannot be unpacked\n${said}`, { cause });
  };
}

/**
 * Network errors, 408, 429 and 5xx are tried again until the deadline; every other answer ends it at once, and so does a file that cannot be
 * written.
 */
async function download(url: string, ref: FileRef, file: string, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await downloadOnce(url, ref, file);
    } catch (error) {
      if (error instanceof Refused) throw error;
      if (performance.now() + PAUSE_MS > deadline) {
        throw new Error(`gave up fetching ${url} after ${Math.round(timeoutMs / 1000)} s: ${causeOf(error)}`);
      }
      await sleep(PAUSE_MS);
    }
  }
}

async function downloadOnce(url: string, ref: FileRef, file: string): Promise<void> {
  const answer = await fetchSource(url, { signal: AbortSignal.timeout(TRY_TIMEOUT_MS) });
  if (!answer.ok || answer.body === null) {
    const reason = `${url} answered ${answer.status}`;
    throw [408, 429].includes(answer.status) || answer.status >= 500 ? new Error(reason) : new Refused(reason);
  }
  const hash = createHash("sha256");
  const unwritable = (cause: unknown) => {
    throw new Refused(`what comes from ${url} cannot be written: ${messageOf(cause)}`, { cause });
  };
  const handle = await open(file, "w", 0o600).catch(unwritable);
  try {
    for await (const chunk of answer.body) {
      hash.update(chunk);
      await handle.writeFile(chunk).catch(unwritable);
    }
  } finally {
    await handle.close();
  }
  const digest = `sha256:${hash.digest("hex")}`;
  if (digest !== ref.digest) throw new Refused(`${url} has the digest ${digest}, the manifest names ${ref.digest}`);
}
