import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, mkdtemp, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { createGunzip } from "node:zlib";
import { extract, type Header } from "tar-stream";
import { z } from "zod";
import { type Digest, digestOf, digestOfFile, hexOf } from "../common/digest.ts";
import { causeOf, isErrno, messageOf, SlipwayError } from "../common/errors.ts";
import { pathExists, readTextIfExists, sizeOf, writeFileAtomic } from "../common/files.ts";
import { cacheHome } from "../common/home.ts";

/** What a file that is downloaded may be; an archive holds a model's folder. */
const FILE = /\.(onnx|keras|h5|hdf5)$/;
const ARCHIVE = /\.(tar|tar\.gz|tgz)$/;

/** What one download may take. */
export interface DownloadLimits {
  /** Of the file, and of what an archive holds. */
  bytes: number;
  /** Of an archive. */
  files: number;
  /** Without a byte. */
  stallMs: number;
  /** For all of it. */
  timeoutMs: number;
  /** In a row that bring nothing. */
  tries: number;
  pauseMs: number;
}

const defaultLimits: DownloadLimits = {
  bytes: 2 ** 31,
  files: 1000,
  stallMs: 30_000,
  timeoutMs: 3_600_000,
  tries: 5,
  pauseMs: 1000,
};

/** How a model is downloaded. */
export interface DownloadOptions {
  log: (line: string) => void;
  signal: AbortSignal;
  limits?: Partial<DownloadLimits>;
  /** The folder of downloads; in Slipway's cache unless told otherwise. */
  folder?: string;
  /** In place of the platform's. */
  fetch?: typeof globalThis.fetch;
}

/** What is remembered of an address: which version of the file was begun, and which was had last. */
const noteSchema = z.object({ etag: z.string(), digest: z.string().optional() });

/** An answer that trying again does not change. */
class Refused extends Error {}

/**
 * Downloads a model from an https address into the cache: what broke off goes on where it did, what is there and unchanged is not fetched
 * again. With `#sha256=<64 hex digits>` at its end the address says what must come.
 * @returns the path of the file, or of the folder that the archive held
 * @throws SlipwayError E_USAGE for another address, E_MODEL_INVALID for what is too large, refused or not what the address says, E_TIMEOUT
 */
export async function downloadedModel(address: string, options: DownloadOptions): Promise<string> {
  const { url, name, wanted } = parsedAddress(address);
  const limits = { ...defaultLimits, ...options.limits };
  const folder = options.folder ?? join(cacheHome(), "downloads");
  const path = (digest: string) => join(folder, digest.replace(/^sha256:/, ""), name);
  if (wanted !== undefined && (await pathExists(path(wanted)))) return modelAt(path(wanted), limits);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const place = join(folder, hexOf(digestOf(url.href)));
  let digest: string;
  try {
    digest = await download(url, place, path, { ...options, limits });
  } catch (error) {
    if (error instanceof SlipwayError) throw error;
    options.signal.throwIfAborted();
    throw new SlipwayError("E_MODEL_INVALID", `${url.href} cannot be downloaded: ${causeOf(error)}`, {
      cause: error,
      hint: "Run the command again: it goes on where it broke off. Or download the file yourself and name its path.",
    });
  }
  if (wanted !== undefined && digest !== wanted) {
    throw new SlipwayError("E_MODEL_INVALID", `${url.href} has the digest ${digest}, and not ${wanted}`, {
      hint: "Find out who changed the file, or correct the digest.",
    });
  }
  return modelAt(path(digest), limits);
}

function parsedAddress(address: string): { url: URL; name: string; wanted: Digest | undefined } {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const name = basename(url?.pathname ?? "");
  if (url?.protocol !== "https:" || !(FILE.test(name) || ARCHIVE.test(name))) {
    throw new SlipwayError("E_USAGE", `${address} is no https address of a model`, {
      hint: "Name a .onnx, .keras or .h5 file, or a .tar.gz of a model's folder; #sha256=… at the end pins its content.",
    });
  }
  const pin = url.hash === "" ? undefined : /^#sha256=([0-9a-f]{64})$/.exec(url.hash)?.[1];
  if (url.hash !== "" && pin === undefined) {
    throw new SlipwayError("E_USAGE", `${url.hash} is no digest`, {
      hint: "Write it like #sha256= and 64 hex digits.",
    });
  }
  url.hash = "";
  return { url, name, wanted: pin === undefined ? undefined : `sha256:${pin}` };
}

type Given = DownloadOptions & { limits: DownloadLimits };

/** Fetches the file, in as many tries as bring something, and answers its digest. */
async function download(url: URL, place: string, path: (digest: string) => string, given: Given): Promise<string> {
  const { limits, signal, log } = given;
  const ends = AbortSignal.any([signal, AbortSignal.timeout(limits.timeoutMs)]);
  const part = `${place}.part`;
  for (let barren = 0; ; ) {
    const before = await sizeOf(part);
    try {
      const had = await fetchRest(url, place, path, given, ends);
      if (had !== undefined) return had;
      break;
    } catch (error) {
      if (error instanceof Refused || error instanceof SlipwayError) throw error;
      if (ends.aborted) throw tooLate(url, limits, signal);
      barren = (await sizeOf(part)) > before ? 0 : barren + 1;
      if (barren >= limits.tries) throw error;
      log(`the download broke off and goes on: ${causeOf(error)}`);
      await sleep(limits.pauseMs * Math.max(1, barren), undefined, { signal });
    }
  }
  const digest = await digestOfFile(part);
  await mkdir(dirname(path(digest)), { recursive: true, mode: 0o700 });
  await rename(part, path(digest));
  const note = await readNote(place);
  if (note !== undefined) await writeFileAtomic(`${place}.json`, JSON.stringify({ ...note, digest }));
  return digest;
}

/**
 * Fetches what is missing of the file.
 * @returns the digest of the one in the cache, where the server says that nothing has changed since
 */
async function fetchRest(
  url: URL,
  place: string,
  path: (digest: string) => string,
  { limits, log, fetch = globalThis.fetch }: Given,
  ends: AbortSignal,
): Promise<string | undefined> {
  const part = `${place}.part`;
  const note = await readNote(place);
  const from = note === undefined ? 0 : await sizeOf(part);
  const had = note?.digest !== undefined && (await pathExists(path(note.digest))) ? note.digest : undefined;
  const stall = new AbortController();
  const answer = await fetch(url, {
    headers: {
      ...(from > 0 && note !== undefined ? { range: `bytes=${from}-`, "if-range": note.etag } : {}),
      ...(from === 0 && had !== undefined && note !== undefined ? { "if-none-match": note.etag } : {}),
    },
    signal: AbortSignal.any([ends, stall.signal]),
  });
  if (new URL(answer.url || url.href).protocol !== url.protocol && answer.redirected) {
    throw new Refused(`it leads to ${answer.url}, which is not https`);
  }
  if (answer.status === 304 && had !== undefined) return had;
  const goesOn = answer.status === 206 && from > 0;
  if (!(answer.status === 200 || goesOn) || answer.body === null) throw refusal(answer.status);
  const start = goesOn ? from : 0;
  const length = Number(answer.headers.get("content-length") ?? 0) + start;
  if (length > limits.bytes) throw tooLarge(limits.bytes);
  const etag = answer.headers.get("etag");
  // a weak one does not promise the same bytes, which is what a part is continued by
  if (etag !== null && !etag.startsWith("W/")) await writeFileAtomic(`${place}.json`, JSON.stringify({ etag }));
  else await rm(`${place}.json`, { force: true });
  log(
    `downloading ${url.href}, ${(length / 1e6).toFixed(1)} MB${start > 0 ? `, from ${(start / 1e6).toFixed(1)} on` : ""}`,
  );
  const file = await open(part, start > 0 ? "a" : "w", 0o600);
  const timer = setTimeout(() => stall.abort(new Error(`no byte came for ${limits.stallMs / 1000} s`)), limits.stallMs);
  let size = start;
  try {
    for await (const chunk of answer.body) {
      timer.refresh();
      size += chunk.length;
      if (size > limits.bytes) throw tooLarge(limits.bytes);
      await file.writeFile(chunk);
    }
  } finally {
    clearTimeout(timer);
    await file.close();
    if (size > limits.bytes) await rm(part, { force: true });
  }
  return undefined;
}

function refusal(status: number): Error {
  const reason = `the server answers ${status}`;
  return status === 408 || status === 429 || status >= 500 ? new Error(reason) : new Refused(reason);
}

function tooLarge(bytes: number): Refused {
  return new Refused(`it is larger than ${bytes} bytes`);
}

function tooLate(url: URL, { timeoutMs }: DownloadLimits, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  return new SlipwayError("E_TIMEOUT", `${url.href} was not downloaded in ${timeoutMs / 1000} s`, {
    hint: "Run the command again: it goes on where it broke off.",
  });
}

async function readNote(place: string): Promise<z.infer<typeof noteSchema> | undefined> {
  const text = await readTextIfExists(`${place}.json`);
  if (text === undefined) return undefined;
  try {
    return noteSchema.parse(JSON.parse(text));
  } catch {
    return undefined; // the download begins anew
  }
}

/** The model in a downloaded file: the file itself, or the folder that an archive holds. */
async function modelAt(path: string, limits: DownloadLimits): Promise<string> {
  if (!ARCHIVE.test(path)) return path;
  const folder = join(dirname(path), "unpacked");
  if (await pathExists(folder)) return folder;
  const work = await mkdtemp(`${folder}.`);
  try {
    await unpack(path, work, limits);
    await rename(work, folder);
  } catch (error) {
    // another command was faster
    if (!isErrno(error, "ENOTEMPTY") && !isErrno(error, "EEXIST")) {
      throw new SlipwayError("E_MODEL_INVALID", `${basename(path)} cannot be unpacked: ${messageOf(error)}`, {
        cause: error,
        hint: "Pack the files of a model's folder, without links, with `tar -C FOLDER -czf model.tar.gz .`.",
      });
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return folder;
}

/** Unpacks the plain files of an archive's top: a model's folder has none below. */
async function unpack(path: string, folder: string, limits: DownloadLimits): Promise<void> {
  const archive = extract();
  const gzipped = !path.endsWith(".tar");
  const source = createReadStream(path);
  const fed = gzipped ? pipeline(source, createGunzip(), archive) : pipeline(source, archive);
  const take = async () => {
    let [bytes, files] = [0, 0];
    for await (const entry of archive) {
      const name = nameOf(entry.header);
      bytes += entry.header.size ?? 0;
      files += 1;
      if (bytes > limits.bytes) throw new Error(`it holds more than ${limits.bytes} bytes`);
      if (files > limits.files) throw new Error(`it holds more than ${limits.files} files`);
      if (name === undefined) entry.resume();
      else await pipeline(entry, createWriteStream(join(folder, name), { flags: "wx", mode: 0o600 }));
    }
  };
  try {
    await Promise.all([take(), fed]);
  } finally {
    archive.destroy(); // what refused an entry reads no further
    await fed.catch(() => undefined);
  }
}

/** The file's name; undefined for a folder. Throws for what a model's folder does not hold. */
function nameOf({ name, type }: Header): string | undefined {
  if (type === "directory") return undefined;
  const plain = name.replace(/^\.\//, "");
  const parts = plain.split("/");
  if (type !== "file") throw new Error(`${name} is a ${type}`);
  // a model's folder may itself be what was packed
  if (parts.length > 2 || parts.some((part) => part === "" || part === "..")) throw new Error(`${name} lies elsewhere`);
  return parts.at(-1);
}
