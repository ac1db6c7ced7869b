import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { extract } from "tar-stream";
import { messageOf, SlipwayError } from "../common/errors.ts";
import { quoteForShell } from "../contextualization/helpers.ts";
import type { SshConnection } from "../remote/connection.ts";

const LIB = "/var/lib/slipway";
/** What of a host is worth keeping: registry and packages of the models, the jobs with their files, what was released. */
const KEPT = ["models", "spool", "release.json", "releases.jsonl", "manifest"];
/** The queue's server goes on writing: its files are copied first, and the copy is fetched. */
const QUEUE = "queue";
const SUMS = "SHA256SUMS";
/** The slowest link that is waited for. */
const BYTES_PER_SECOND = 50_000;
const GRACE_MS = 60_000;

/** A backup that lies on this machine, each file as the host had it. */
export interface Backup {
  /** The tar. */
  file: string;
  files: number;
  /** Of the files' contents. */
  bytes: number;
}

/**
 * Fetches a host's models and jobs as one tar, streamed: nothing but a copy of the queue's files takes room on the host. The tar begins with
 * `SHA256SUMS`, made on the host; what arrived is compared with it, and the file gets its name only when all of it is right.
 * @param file where the tar is to lie; its folder is made
 * @throws SlipwayError E_BACKUP_FAILED with the reason, a tar of that name is left as it was
 */
export async function fetchBackup(connection: SshConnection, file: string, signal: AbortSignal): Promise<Backup> {
  const target = resolve(file);
  const part = `${target}.part`;
  try {
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    const size = Number(await asRoot(connection, sizeScript, { signal }));
    const output = createWriteStream(part, { mode: 0o600 });
    const timeoutMs = GRACE_MS + Math.ceil((size / BYTES_PER_SECOND) * 1000);
    await asRoot(connection, tarScript, { signal, output, timeoutMs });
    const content = await verifyBackup(part);
    await syncFile(part);
    await rename(part, target);
    return { file: target, ...content };
  } catch (error) {
    await rm(part, { force: true }).catch(() => undefined); // the reason why it failed says more
    signal.throwIfAborted();
    throw backupFailed(messageOf(error), error);
  }
}

/** The error of a backup that was asked for and not made. */
export function backupFailed(reason: string, cause?: unknown): SlipwayError {
  return new SlipwayError("E_BACKUP_FAILED", `nothing is removed: the backup could not be made: ${reason}`, {
    hint: "Mend what is named and run the command again, or leave --backup out.",
    ...(cause === undefined ? {} : { cause }),
  });
}

/**
 * Compares a tar with the list of digests that it begins with.
 * @throws Error naming the first file that is another one, is missing, or is not in the list
 */
async function verifyBackup(file: string): Promise<{ files: number; bytes: number }> {
  const found = new Map<string, string>();
  let sums: Map<string, string> | undefined;
  let bytes = 0;
  const archive = extract();
  const read = pipeline(createReadStream(file), archive);
  const compared = (async () => {
    for await (const entry of archive) {
      const hash = createHash("sha256");
      const chunks: Buffer[] = [];
      const { name, type } = entry.header;
      for await (const chunk of entry as AsyncIterable<Buffer>) {
        hash.update(chunk);
        if (name === SUMS) chunks.push(chunk);
        else bytes += chunk.length;
      }
      if (name === SUMS) sums = sumsOf(Buffer.concat(chunks).toString("utf8"));
      else if (type === "file") found.set(name, hash.digest("hex"));
    }
  })();
  await Promise.all([read, compared]);
  if (sums === undefined) throw new Error(`it has no ${SUMS}`);
  for (const [name, digest] of sums) {
    const own = found.get(name);
    if (own !== digest) throw new Error(own === undefined ? `${name} is missing` : `${name} changed on its way`);
  }
  const extra = [...found.keys()].find((name) => sums?.has(name) !== true);
  if (extra !== undefined) throw new Error(`the host told no digest of ${extra}`);
  return { files: found.size, bytes };
}

function sumsOf(text: string): Map<string, string> {
  return new Map([...text.matchAll(/^([0-9a-f]{64}) [ *](.+)$/gm)].map(([, digest = "", name = ""]) => [name, digest]));
}

/** A list of those of the names that are there, in `$kept`. */
const listKept = `kept=; for name in ${KEPT.join(" ")}; do if [ -e "$name" ]; then kept="$kept $name"; fi; done`;
const sizeScript = `cd ${LIB} && du -sb . | cut -f1`;
const tarScript = [
  `set -e; cd ${LIB}; work=$(mktemp -d ${LIB}/backup.XXXXXX); trap 'rm -rf "$work"' EXIT`,
  `if [ -d ${QUEUE} ]; then cp -a ${QUEUE} "$work/"; else mkdir "$work/${QUEUE}"; fi`,
  listKept,
  `{ if [ -n "$kept" ]; then find $kept -type f -exec sha256sum {} +; fi; cd "$work"; find ${QUEUE} -type f -exec sha256sum {} +; } > "$work/${SUMS}"`,
  `tar -C "$work" -cf - ${SUMS} ${QUEUE} -C ${LIB} $kept`,
].join("\n");

function asRoot(connection: SshConnection, script: string, options: Parameters<SshConnection["run"]>[1]) {
  return connection.run(`sudo -n sh -c ${quoteForShell(script)}`, options);
}

/** On disk, and not only handed to the kernel: what it was made from is about to be deleted. */
async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
  if ((await stat(path)).size === 0) throw new Error("it is empty");
}
