import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../common/errors.ts";
import { fetchSource } from "./fetch-source.ts";
import { type HostConfig, stackKey } from "./host-config.ts";
import { type Manifest, openManifest } from "./manifest.ts";
import { causeOf } from "./source.ts";

const POLL_MS = 2000;
const REQUEST_TIMEOUT_MS = 10_000;

/** Watches the stack's published manifest. */
export class ManifestWatch {
  readonly #host: HostConfig;
  readonly #log: (message: string) => void;
  #etag = "";
  #complaint = "";

  /** @param log is told what stands in the way, once per cause */
  constructor(host: HostConfig, log: (message: string) => void = console.error) {
    this.#host = host;
    this.#log = log;
  }

  /**
   * The next manifest above `sequence` with its signed document; undefined when none came within `timeoutMs`. An unreachable source or
   * a document that is not the stack's is waited out: the host goes on serving what it has.
   */
  async next(sequence: number, timeoutMs: number): Promise<{ manifest: Manifest; document: string } | undefined> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      try {
        const found = await this.#poll();
        this.#complaint = "";
        if (found !== undefined && found.manifest.sequence > sequence) return found;
      } catch (error) {
        this.#complain(causeOf(error));
      }
      if (performance.now() + POLL_MS > deadline) return undefined;
      await sleep(POLL_MS);
    }
  }

  /** The manifest, where it is another than at the last look. */
  async #poll(): Promise<{ manifest: Manifest; document: string } | undefined> {
    const answer = await fetchSource(`${this.#host.sourceUrl}/manifest`, {
      headers: this.#etag === "" ? {} : { "if-none-match": this.#etag },
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    const document = await answer.text();
    if (answer.status === 304) return undefined;
    if (answer.status !== 200) throw new Error(`the manifest's source answers ${answer.status}`);
    const manifest = openManifest(document, stackKey(this.#host));
    if (manifest.stack !== this.#host.stack) throw new Error(`the manifest is that of the stack ${manifest.stack}`);
    this.#etag = answer.headers.get("etag") ?? "";
    return { manifest, document };
  }

  #complain(reason: string): void {
    if (reason !== this.#complaint) this.#log(`no manifest: ${messageOf(reason)}`);
    this.#complaint = reason;
  }
}
