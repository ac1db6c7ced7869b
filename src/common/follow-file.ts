import { open, stat } from "node:fs/promises";
import { StringDecoder } from "node:string_decoder";
import { setTimeout as sleep } from "node:timers/promises";
import { isErrno } from "./errors.ts";

const LOOK_MS = 200;
const CHUNK = 64 * 1024;

/**
 * The lines that are added to a file, from where it was `from` bytes long, until the signal; without end. A file that is not there yet is waited for,
 * and one that takes its place is read from its start.
 */
export async function* addedLines(path: string, from: number, signal: AbortSignal): AsyncGenerator<string> {
  let at = from;
  let inode = await inodeOf(path);
  let decoder = new StringDecoder("utf8");
  let rest = "";
  while (!signal.aborted) {
    const now = await inodeOf(path);
    if (now?.ino !== inode?.ino || (now?.size ?? 0) < at) {
      [at, rest, decoder] = [0, "", new StringDecoder("utf8")];
      inode = now;
    }
    const chunk = await readAt(path, at);
    at += chunk.length;
    const lines = (rest + decoder.write(chunk)).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
    if (chunk.length === 0) await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined); // the signal ends it
  }
}

async function inodeOf(path: string): Promise<{ ino: number; size: number } | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

async function readAt(path: string, position: number): Promise<Buffer> {
  try {
    const file = await open(path, "r");
    try {
      const buffer = Buffer.alloc(CHUNK);
      const { bytesRead } = await file.read(buffer, 0, CHUNK, position);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (isErrno(error, "ENOENT")) return Buffer.alloc(0);
    throw error;
  }
}
