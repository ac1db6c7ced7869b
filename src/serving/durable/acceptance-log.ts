import { type Redis, ReplyError } from "ioredis";
import { asBuffer } from "../runtime/frames.ts";
import { ACCEPT_KEYED, type DurableKeys, HAND_OVER, LIVE, pendingMark, SETTLE } from "./protocol.ts";

export interface AcceptanceLogOptions {
  /** Fails at once while the server is away. */
  commands: Redis;
  keys: DurableKeys;
  /** Names the process. */
  owner: string;
  /** Entries of a model that are under way; more are to be refused. */
  mostEntries: number;
  keepAnswersS: number;
  /** One that has said nothing for so long is gone, and runtimes answer what it has accepted. */
  leaseMs: number;
}

/** What of a frame is written down: its model, the version where it is not the live one, and the tensors' bytes. */
export interface AcceptedFrame {
  model: string;
  version: string;
  body: Uint8Array;
}

const SWEEP_MS = 50;
/** Entries that are struck at once before it is their time. */
const MANY = 64;

/**
 * What a process has accepted and not answered yet, in a stream of its own at the queue's server. What was appended is on disk when the
 * promise resolves. Entries are named before they are sent and struck in bulk when they are answered: one that the server
 * has although its reply was lost is struck like all others.
 */
export class AcceptanceLog {
  readonly #options: AcceptanceLogOptions;
  readonly #stream: string;
  readonly #sweeping: NodeJS.Timeout;
  /** The models of what is under way, by entry. */
  readonly #underWay = new Map<string, string>();
  readonly #counts = new Map<string, number>();
  #struck: string[] = [];
  #handedOver: string[] = [];
  #isSweeping = false;
  #livedAt = Number.NEGATIVE_INFINITY;
  #next = 1;

  constructor(options: AcceptanceLogOptions) {
    this.#options = options;
    this.#stream = options.keys.accepted(options.owner);
    options.commands.on("ready", () => {
      this.#livedAt = Number.NEGATIVE_INFINITY; // the server may have counted it as gone meanwhile
    });
    this.#sweeping = setInterval(() => void this.#sweep(), SWEEP_MS).unref();
  }

  /** Whether no more of this model may be accepted now. */
  isFull(model: string): boolean {
    return (this.#counts.get(model) ?? 0) >= this.#options.mostEntries;
  }

  /** Names an entry, to be written before any that is named later. It counts as under way until it is struck, settled or handed over. */
  open(model: string): string {
    const entry = `${this.#next++}-0`;
    this.#underWay.set(entry, model);
    this.#counts.set(model, (this.#counts.get(model) ?? 0) + 1);
    return entry;
  }

  /** Writes a frame down. @returns its entry; rejects where it is not certain that it is on disk, and then there is none */
  async append({ model, version, body }: AcceptedFrame): Promise<string> {
    const entry = this.open(model);
    this.#live();
    const fields = ["m", model, "v", version, "k", "", "b", asBuffer(body)];
    try {
      await this.#options.commands.call("XADD", this.#stream, entry, ...fields);
      return entry;
    } catch (error) {
      // the server may have it, unless it has said that it does not
      if (error instanceof ReplyError) this.#close(entry);
      else this.strike(entry);
      throw error;
    }
  }

  /** Writes a frame down whose answer is to be kept at `answer`. @returns undefined, or what is kept there already */
  async appendKeyed(
    entry: string,
    answer: string,
    { model, version, body }: AcceptedFrame,
  ): Promise<Buffer | undefined> {
    this.#live();
    const { commands, keepAnswersS } = this.#options;
    const values = [entry, this.markOf(entry), keepAnswersS, model, version, asBuffer(body)];
    const taken = (await commands.callBuffer("EVAL", ACCEPT_KEYED, 2, this.#stream, answer, ...values)) as Buffer;
    return String(taken) === "taken" ? undefined : taken;
  }

  /** Stands at the place of the answer to an entry until it is there. */
  markOf(entry: string): string {
    return pendingMark(`${this.#options.owner} ${entry}`);
  }

  /** Keeps the answer to an entry, or forgets its key, and strikes it. @returns undefined, or what is kept there already and counts instead */
  async settle(entry: string, answer: string, envelope: Buffer | undefined): Promise<Buffer | undefined> {
    const { commands, keepAnswersS } = this.#options;
    const values = [entry, this.markOf(entry), envelope ?? "", envelope ? keepAnswersS : 0];
    const kept = (await commands.callBuffer("EVAL", SETTLE, 2, this.#stream, answer, ...values)) as Buffer;
    this.#close(entry);
    return String(kept) === "kept" ? undefined : kept;
  }

  /** Forgets an entry, answered or never sent. */
  strike(entry: string): void {
    this.#close(entry);
    this.#struck.push(entry);
    if (this.#struck.length >= MANY) void this.#sweep();
  }

  /** Leaves an entry to the runtimes: its answer is kept for who asks again. */
  handOver(entry: string): void {
    this.#close(entry);
    this.#handedOver.push(entry);
  }

  /** Strikes what is answered. What is not is left to the runtimes. */
  async close(): Promise<void> {
    clearInterval(this.#sweeping);
    await this.#sweep();
  }

  #close(entry: string): void {
    const model = this.#underWay.get(entry);
    if (model === undefined) return;
    this.#underWay.delete(entry);
    this.#counts.set(model, (this.#counts.get(model) ?? 1) - 1);
  }

  /** Says in time that the process lives. A word that is lost is said again, and what else is asked of the server tells the failure. */
  #live(): void {
    const { commands, keys, owner, leaseMs } = this.#options;
    const now = performance.now();
    if (now - this.#livedAt < leaseMs / 4) return;
    this.#livedAt = now;
    commands.call("EVAL", LIVE, 1, keys.owners, owner, leaseMs).catch(() => {
      this.#livedAt = Number.NEGATIVE_INFINITY;
    });
  }

  async #sweep(): Promise<void> {
    const { commands, keys } = this.#options;
    if (this.#isSweeping || commands.status !== "ready") return;
    const [struck, handedOver] = [this.#struck, this.#handedOver];
    if (struck.length + handedOver.length + this.#underWay.size === 0) return;
    this.#struck = [];
    this.#handedOver = [];
    this.#isSweeping = true;
    this.#live();
    try {
      await Promise.all([
        struck.length > 0 && commands.call("XDEL", this.#stream, ...struck),
        handedOver.length > 0 && commands.call("EVAL", HAND_OVER, 1, this.#stream, keys.prefix, ...handedOver),
      ]);
    } catch {
      // both may be done twice
      this.#struck.push(...struck);
      this.#handedOver.push(...handedOver);
    } finally {
      this.#isSweeping = false;
    }
  }
}
