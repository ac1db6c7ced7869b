import { setTimeout as sleep } from "node:timers/promises";
import { causeOf, messageOf } from "../common/errors.ts";
import { fetchSource } from "./fetch-source.ts";
import { type HostConfig, stackKey } from "./host-config.ts";
import { type Manifest, openManifest } from "./manifest.ts";

const POLL_MS = 2000;
const REQUEST_TIMEOUT_MS = 10_000;

/** A manifest with its signed document. */
export interface FoundManifest {
  manifest: Manifest;
  document: string;
}

/** Watches the stack's published manifest. */
export class ManifestWatch {
  readonly #host: HostConfig;
  readonly #log: (message: string) => void;
  readonly #pause: (ms: number) => Promise<unknown>;
  #etag = "";
  #newest: FoundManifest | undefined;
  #complaint = "";

  /**
   * @param log is told what stands in the way, once per cause
   * @param pause between two looks: lasts so many milliseconds at most
   */
  constructor(
    host: HostConfig,
    log: (message: string) => void = console.error,
    pause: (ms: number) => Promise<unknown> = sleep,
  ) {
    this.#host = host;
    this.#log = log;
    this.#pause = pause;
  }

  /**
   * The next manifest above `sequence` with its signed document; undefined when none came within `timeoutMs`. An unreachable source or
   * a document that is not the stack's is waited out: the host goes on serving what it has. Asked again it answers the same one.
   */
  async next(sequence: number, timeoutMs: number): Promise<FoundManifest | undefined> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      try {
        this.#newest = (await this.#poll()) ?? this.#newest;
        this.#complaint = "";
      } catch (error) {
        this.#complain(causeOf(error));
      }
      if (this.#newest && this.#newest.manifest.sequence > sequence) return this.#newest;
      const left = deadline - performance.now();
      if (left <= 0) return undefined;
      await this.#pause(Math.min(POLL_MS, left));
    }
  }

  /** The manifest, where it is another than at the last look. */
  async #poll(): Promise<FoundManifest | undefined> {
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
