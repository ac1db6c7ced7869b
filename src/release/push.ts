import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { hexOf, shortPath } from "../common/digest.ts";
import { SlipwayError } from "../common/errors.ts";
import { quoteForShell } from "../contextualization/helpers.ts";
import type { Manifest } from "../guest/manifest.ts";
import { RemoteCommandError } from "../remote/command.ts";
import type { RemoteCommandOptions, SshConnection } from "../remote/connection.ts";
import { modelsOf } from "./manifest-counters.ts";
import { tablesOf } from "./published-files.ts";

/** Where pushed files lie in a host, readable by root alone. */
const INBOX = "/var/lib/slipway/inbox";
/** The source URL of hosts that are pushed to. */
export const inboxUrl = `file://${INBOX}`;

const MANIFEST = "manifest";
/** The slowest link that is waited for. */
const BYTES_PER_SECOND = 50_000;
const GRACE_MS = 60_000;

/** What is pushed, and how. */
export interface PushOptions {
  /** The folder with the publication's files. */
  folder: string;
  manifest: Manifest;
  log: (line: string) => void;
  signal: AbortSignal;
}

/** A file of the publication. */
type FileRef = Pick<Manifest["models"][number], "path" | "digest" | "size">;

/**
 * Brings a publication into a host's inbox: the files that its manifest names, each whole and checked by its digest there, then the manifest.
 * Files that are there are not sent again, one that was torn goes on where it broke off, and what no manifest names any more is removed.
 * @throws SlipwayError E_SSH, E_TIMEOUT; E_BOOTSTRAP_FAILED with the host's words, when its disk is full, say
 */
export async function pushRelease(connection: SshConnection, options: PushOptions): Promise<void> {
  const { folder, manifest, log, signal } = options;
  const inbox = new Inbox(connection, signal);
  const files: FileRef[] = [
    manifest.payload.runtime,
    manifest.payload.app,
    ...modelsOf(manifest),
    ...tablesOf(manifest.settings),
  ];
  const present = await inbox.sizes();
  for (const file of files) {
    if (present.get(file.path) === file.size) continue;
    const torn = present.get(partOf(file.path)) ?? 0;
    log(`pushing ${shortPath(file.path)}, ${megabytes(file.size)} MB${torn > 0 ? `, from ${megabytes(torn)} on` : ""}`);
    await inbox.put(file, join(folder, file.path), torn < file.size ? torn : 0);
  }
  await inbox.putText(MANIFEST, await readFile(join(folder, MANIFEST), "utf8"));
  await inbox.keepOnly([MANIFEST, ...files.map(({ path }) => path)], present);
}

/** The folder in a host that releases are pushed into. */
class Inbox {
  readonly #connection: SshConnection;
  readonly #signal: AbortSignal;

  constructor(connection: SshConnection, signal: AbortSignal) {
    this.#connection = connection;
    this.#signal = signal;
  }

  /** The sizes of its files in bytes, by path. */
  async sizes(): Promise<Map<string, number>> {
    await this.#run(`mkdir -p -m 700 ${INBOX}`);
    const listing = await this.#inInbox("find . -type f -printf '%P %s\\n'");
    return new Map(
      listing.split("\n").flatMap((line): [string, number][] => {
        const [path, size] = line.split(" ");
        return path && size ? [[path, Number(size)]] : [];
      }),
    );
  }

  /** Sends a file from a byte on, and lets it appear when its digest is right. */
  async put({ path, digest, size }: FileRef, file: string, from: number): Promise<void> {
    const part = quoteForShell(partOf(path));
    const target = quoteForShell(path);
    const sum = quoteForShell(`${hexOf(digest)}  ${partOf(path)}`);
    await this.#inInbox(
      `mkdir -p "$(dirname ${target})" && cat ${from > 0 ? ">>" : ">"} ${part} && sync ${part} || exit; ` +
        `if echo ${sum} | sha256sum -c --status; then mv ${part} ${target}; exit; fi; ` +
        // what a broken connection left is gone on with; what is whole and wrong is not
        `[ "$(stat -c %s ${part})" -lt ${size} ] || rm ${part}; echo 'it arrived torn' >&2; exit 1`,
      {
        input: createReadStream(file, { start: from }),
        timeoutMs: GRACE_MS + Math.ceil((size / BYTES_PER_SECOND) * 1000),
      },
    );
  }

  /** Replaces a small file at once and whole. */
  async putText(path: string, text: string): Promise<void> {
    const part = quoteForShell(partOf(path));
    await this.#inInbox(`cat > ${part} && sync ${part} && mv ${part} ${quoteForShell(path)}`, { input: text });
  }

  async keepOnly(wanted: string[], present: Map<string, number>): Promise<void> {
    const stale = [...present.keys()].filter((path) => !wanted.includes(path)).map(quoteForShell);
    if (stale.length > 0) await this.#inInbox(`rm -f ${stale.join(" ")}`);
  }

  #inInbox(script: string, options?: RemoteCommandOptions): Promise<string> {
    return this.#run(`cd ${INBOX} && ${script}`, options);
  }

  async #run(script: string, options: RemoteCommandOptions = {}): Promise<string> {
    const command = `sudo -n sh -c ${quoteForShell(script)}`;
    try {
      return await this.#connection.run(command, { ...options, signal: this.#signal });
    } catch (error) {
      if (!(error instanceof RemoteCommandError)) throw error;
      throw new SlipwayError("E_BOOTSTRAP_FAILED", `pushing into the host failed: ${error.message}`, {
        hint: "Mend what the host names and run `slipway up` again: what arrived is not sent again.",
        cause: error,
      });
    }
  }
}

function partOf(path: string): string {
  return `${path}.part`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
