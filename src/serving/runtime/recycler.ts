import type { Logger } from "pino";
import { type KernelLock, tryLock } from "../../common/kernel-lock.ts";
import { greets } from "./greeting.ts";

/** When a runtime makes room for a fresh process. Whatever is absent is no reason to. */
export interface RecycleLimits {
  /** Frames that it has answered; a frame holds all that one frontend asked of a model in a turn. */
  requests?: number | undefined;
  /** Memory that the process holds. */
  memoryMiB?: number | undefined;
  /** The same, in multiples of what it held when it was ready. */
  growth?: number | undefined;
}

export interface RecyclerOptions {
  limits: RecycleLimits;
  /** The sockets of the group's other runtimes. */
  siblings: string[];
  /** A file of the group: whoever has it locked is the one that goes. */
  lockFile: string;
  /** Called before the process ends: whoever starts it again would take it for one that died. */
  note: () => Promise<void>;
  /** Ends the process once what was asked is answered. */
  stop: (reason: string) => void;
  log: Logger;
}

const LOOK_MS = 500;
const GREETING_MS = 1000;
/** A sibling that has been away for so long does not come back soon: the others suffice. */
const PATIENCE_MS = 30_000;
/** The others must have answered for so long: frontends come back to a runtime after at most half of it. */
const SETTLE_MS = 1000;
/** A limit that a fresh process is about to pass would have it replaced for ever. */
const LEAST_GROWTH = 1.2;
const MIB = 1024 * 1024;

/**
 * Watches how much a runtime has answered and what it holds, and has it replaced when that is too much: never while no sibling answers,
 * and no two of a group at once.
 */
export class Recycler {
  readonly #options: RecyclerOptions;
  readonly #mostBytes: number;
  readonly #timer: NodeJS.Timeout;
  #answered = 0;
  #dueSince: number | undefined;
  #enoughSince: number | undefined;
  #going = false;
  /** Held until the process has ended. */
  #lock: KernelLock | undefined;

  constructor(options: RecyclerOptions) {
    this.#options = options;
    this.#mostBytes = mostBytes(options.limits, process.memoryUsage.rss());
    this.#timer = setInterval(() => void this.#look(), LOOK_MS).unref();
  }

  /** Counts a frame that was answered. */
  count(): void {
    this.#answered++;
  }

  /** Watches no longer. */
  close(): void {
    clearInterval(this.#timer);
    this.#going = true;
  }

  async #look(): Promise<void> {
    const reason = this.#reason();
    if (this.#going || reason === undefined) return;
    this.#going = true;
    try {
      this.#dueSince ??= performance.now();
      this.#lock = tryLock(this.#options.lockFile);
      if (this.#lock === undefined) return;
      if (await this.#mayGo(this.#dueSince)) {
        clearInterval(this.#timer);
        await this.#options.note();
        this.#options.stop(reason);
        return;
      }
      this.#lock.release();
      this.#lock = undefined;
    } catch (error) {
      this.#options.log.error({ err: error }, "cannot make room for a fresh process");
    } finally {
      this.#going = this.#lock !== undefined;
    }
  }

  #reason(): string | undefined {
    const { requests } = this.#options.limits;
    if (requests !== undefined && this.#answered >= requests) return `${this.#answered} frames answered`;
    const bytes = process.memoryUsage.rss();
    if (bytes > this.#mostBytes) return `${Math.round(bytes / MIB)} MiB of memory held`;
    return undefined;
  }

  /** Whether enough of the group have answered for a while: all the others, or some of them where the rest is away for long. */
  async #mayGo(dueSince: number): Promise<boolean> {
    const answers = await Promise.all(this.#options.siblings.map((socket) => greets(socket, GREETING_MS)));
    const now = performance.now();
    const enough = answers.includes(true) && (!answers.includes(false) || now - dueSince > PATIENCE_MS);
    this.#enoughSince = enough ? (this.#enoughSince ?? now) : undefined;
    return this.#enoughSince !== undefined && now - this.#enoughSince >= SETTLE_MS;
  }
}

/** What a process may hold that held so much when it was ready, in bytes. */
export function mostBytes({ memoryMiB, growth }: RecycleLimits, baseline: number): number {
  const absolute = memoryMiB === undefined ? Number.POSITIVE_INFINITY : memoryMiB * MIB;
  const relative = growth === undefined ? Number.POSITIVE_INFINITY : growth * baseline;
  return Math.max(Math.min(absolute, relative), LEAST_GROWTH * baseline);
}
