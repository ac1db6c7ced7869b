import { createHash } from "node:crypto";
import { chmod, type FileHandle, mkdir, mkdtemp, open, rename, rm } from "node:fs/promises";
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

/** A try that nothing comes of for so long is over. */
const SILENCE_MS = 30_000;
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
 * Network errors, 408, 429 and 5xx are tried again until the deadline, from where the last try broke off; every other answer ends it at once,
 * and so does a file that cannot be written.
 */
async function download(url: string, ref: FileRef, file: string, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  const arriving = await ArrivingFile.open(file, url);
  try {
    for (;;) {
      try {
        return await bringRest(url, ref, arriving);
      } catch (error) {
        if (error instanceof Refused) throw error;
        if (performance.now() + PAUSE_MS > deadline) {
          throw new Error(`gave up fetching ${url} after ${Math.round(timeoutMs / 1000)} s: ${causeOf(error)}`);
        }
        await sleep(PAUSE_MS);
      }
    }
  } finally {
    await arriving.close();
  }
}

/** Asks for what has not come yet (RFC 9110, 14.2): a server that knows no ranges, or has something else by now, sends all of it. */
async function bringRest(url: string, ref: FileRef, arriving: ArrivingFile): Promise<void> {
  const silence = new AbortController();
  const late = () => silence.abort(new Error(`nothing came for ${SILENCE_MS / 1000} s`));
  const timer = setTimeout(late, SILENCE_MS);
  try {
    const from = arriving.size;
    const range = from > 0 && { headers: { range: `bytes=${from}-` } };
    const answer = await fetchSource(url, { ...range, signal: silence.signal });
    if (answer.status === 416) await arriving.beginAnew();
    if (!answer.ok || answer.body === null) {
      const reason = `${url} answered ${answer.status}`;
      const mayPass = [408, 416, 429].includes(answer.status) || answer.status >= 500;
      throw mayPass ? new Error(reason) : new Refused(reason);
    }
    const goesOn = from > 0 && answer.status === 206;
    if (from > 0 && !goesOn) await arriving.beginAnew();
    for await (const chunk of answer.body) {
      timer.refresh();
      await arriving.append(chunk);
    }
    const digest = arriving.digest();
    if (digest === ref.digest) return;
    const reason = `${url} has the digest ${digest}, the manifest names ${ref.digest}`;
    if (!goesOn) throw new Refused(reason);
    await arriving.beginAnew(); // its parts may be of two files
    throw new Error(reason);
  } finally {
    clearTimeout(timer);
  }
}

/** A file as far as it has come. */
class ArrivingFile {
  readonly #handle: FileHandle;
  readonly #url: string;
  #hash = createHash("sha256");
  #size = 0;

  private constructor(handle: FileHandle, url: string) {
    this.#handle = handle;
    this.#url = url;
  }

  static async open(file: string, url: string): Promise<ArrivingFile> {
    return new ArrivingFile(await open(file, "a", 0o600).catch((cause: unknown) => unwritable(url, cause)), url);
  }

  /** Bytes. */
  get size(): number {
    return this.#size;
  }

  async append(chunk: Uint8Array): Promise<void> {
    await this.#handle.appendFile(chunk).catch((cause: unknown) => unwritable(this.#url, cause));
    this.#hash.update(chunk);
    this.#size += chunk.length;
  }

  /** Of all that has come. */
  digest(): Digest {
    return `sha256:${this.#hash.copy().digest("hex")}`;
  }

  async beginAnew(): Promise<void> {
    await this.#handle.truncate(0);
    this.#hash = createHash("sha256");
    this.#size = 0;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

function unwritable(url: string, cause: unknown): never {
  throw new Refused(`what comes from ${url} cannot be written: ${messageOf(cause)}`, { cause });
}
