import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { link, mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { Digest } from "../../common/digest.ts";
import { isErrno } from "../../common/errors.ts";

/** A file of the spool as others know it. */
interface SpooledFile {
  /** Its name in the spool; says nothing of its content. */
  file: string;
  digest: Digest;
  bytes: number;
}

/** `too-large`: the file is longer than its limit. `full`: the spool, or the disk below it, holds no more. */
export class SpoolError extends Error {
  override readonly name = "SpoolError";
  readonly reason: "too-large" | "full";

  constructor(reason: "too-large" | "full", message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Files that jobs begin with and files that they leave: written by streams, in bounded memory, whole or not at all. */
export interface Spool {
  /**
   * Keeps what a stream brings.
   * @throws SpoolError when it is longer than `limitBytes`, or the spool is full; whatever the stream throws. Nothing is left then
   */
  put(stream: AsyncIterable<Uint8Array>, limitBytes: number): Promise<SpooledFile>;
  /** The file's bytes from `start` on. Throws ENOENT, when the stream is read, for what is not there (any more). */
  get(file: string, start?: number): Readable;
  /** Where the file lies. */
  path(file: string): string;
  size(file: string): Promise<number | undefined>;
  remove(file: string): Promise<void>;
  /**
   * Keeps what a job leaves, under a name that only this job has. The first to come stays: a job that ran twice has left one file.
   * @returns the file, and whether it is this call's
   */
  publish(name: string, content: AsyncIterable<Uint8Array | string>): Promise<{ file: string; first: boolean }>;
  /** Removes results, or what jobs begin with, that is older; returns how many files. */
  sweep(olderThanMs: number, results: boolean): Promise<number>;
}

const FILE_NAME = /^[a-z]+-[A-Za-z0-9_-]{1,100}$/;
/** How long the sum of the files' lengths is taken for true. */
const SIZE_MS = 2000;
const DAY_MS = 24 * 3600 * 1000;

/** Opens a spool; its folder is made where there is none. `maxBytes` is what all its files may have together. */
export async function openSpool(folder: string, maxBytes: number): Promise<Spool> {
  await mkdir(folder, { recursive: true, mode: 0o750 });
  let known = { at: Number.NEGATIVE_INFINITY, bytes: 0 };

  async function requireSpace(): Promise<void> {
    if (performance.now() - known.at > SIZE_MS) known = { at: performance.now(), bytes: await sizeOf(folder) };
    if (known.bytes > maxBytes) throw new SpoolError("full", `the spool holds ${known.bytes} bytes`);
  }

  /** Writes a stream under a name that nobody reads; the caller gives it its own, or removes it. */
  async function write(content: AsyncIterable<Uint8Array | string>, limitBytes: number) {
    await requireSpace();
    const temporary = join(folder, `tmp-${randomUUID()}`);
    const hash = createHash("sha256");
    let bytes = 0;
    const file = await open(temporary, "wx", 0o640);
    try {
      for await (const part of content) {
        const chunk = typeof part === "string" ? Buffer.from(part) : part;
        bytes += chunk.byteLength;
        if (bytes > limitBytes) throw new SpoolError("too-large", `more than ${limitBytes} bytes`);
        if (known.bytes + bytes > maxBytes) throw new SpoolError("full", `the spool holds ${known.bytes} bytes`);
        hash.update(chunk);
        await file.writeFile(chunk);
      }
      await file.sync(); // a job that was accepted has what it begins with, whatever happens to the machine
      known.bytes += bytes;
      return { temporary, bytes, digest: `sha256:${hash.digest("hex")}` as Digest };
    } catch (error) {
      await rm(temporary, { force: true });
      if (isErrno(error, "ENOSPC") || isErrno(error, "EDQUOT")) throw new SpoolError("full", "the disk is full");
      throw error;
    } finally {
      await file.close();
    }
  }

  /** Gives a written file its name. False when there is one of that name, which stays. */
  async function settle(temporary: string, name: string): Promise<boolean> {
    try {
      await link(temporary, pathOf(name));
      const directory = await open(folder, "r");
      await directory.sync().finally(() => directory.close());
      return true;
    } catch (error) {
      if (isErrno(error, "EEXIST")) return false;
      throw error;
    } finally {
      await rm(temporary, { force: true });
    }
  }

  function pathOf(file: string): string {
    if (!FILE_NAME.test(file)) throw new Error(`${JSON.stringify(file)} is no file of the spool`);
    return join(folder, file);
  }

  const size = async (file: string): Promise<number | undefined> => {
    try {
      return (await stat(pathOf(file))).size;
    } catch (error) {
      if (isErrno(error, "ENOENT")) return undefined;
      throw error;
    }
  };

  return {
    put: async (stream, limitBytes) => {
      const { temporary, bytes, digest } = await write(stream, limitBytes);
      const file = `in-${randomUUID()}`;
      await settle(temporary, file);
      return { file, digest, bytes };
    },
    get: (file, start = 0) => createReadStream(pathOf(file), { start }),
    path: pathOf,
    size,
    remove: (file) => rm(pathOf(file), { force: true }),
    publish: async (name, content) => {
      const file = `out-${name}`;
      if ((await size(file)) !== undefined) return { file, first: false };
      const { temporary } = await write(content, Number.POSITIVE_INFINITY);
      return { file, first: await settle(temporary, file) };
    },
    sweep: async (olderThanMs, results) => {
      let removed = 0;
      for (const name of await readdir(folder)) {
        const isResult = name.startsWith("out-");
        // what a killed process was writing is nobody's
        const age = name.startsWith("tmp-") ? DAY_MS : isResult === results ? olderThanMs : Number.POSITIVE_INFINITY;
        const path = join(folder, name);
        const modified = await stat(path).then(
          ({ mtimeMs }) => mtimeMs,
          () => Number.POSITIVE_INFINITY, // gone meanwhile
        );
        if (Date.now() - modified <= age) continue;
        await rm(path, { force: true, recursive: true });
        removed++;
      }
      return removed;
    },
  };
}

async function sizeOf(folder: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(folder)) {
    bytes += await stat(join(folder, name)).then(
      (found) => found.size,
      () => 0, // gone meanwhile
    );
  }
  return bytes;
}
