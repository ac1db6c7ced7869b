import { messageOf } from "../../../common/errors.ts";
import type { Turns } from "../../../common/turns.ts";

const retryMs = 5_000;

export interface LeadInsOptions {
  /** One operation per guest at a time. */
  turns: Turns;
  /** Makes what leads into a guest be what the plan says, as it is when this begins. */
  leadIn: (id: string) => Promise<void>;
  log: (line: string) => void;
  /** Milliseconds until what failed is tried again. */
  retryMs?: number;
}

/**
 * Keeps what leads into guests as the plan says. A guest whose turn is taken, by what may last minutes, or which did not answer, is led into when
 * it can be, and nobody waits for it: others' networks are no concern of its.
 */
export class LeadIns {
  readonly #options: LeadInsOptions;
  /** Who is to be led into and is not yet: any later plan is this one's too. */
  readonly #waiting = new Set<string>();
  readonly #retries = new Map<string, NodeJS.Timeout>();
  #closed = false;

  constructor(options: LeadInsOptions) {
    this.#options = options;
  }

  /** Resolves once each of the guests that can be is led into by the plan. A failure is told, and tried again. */
  async renew(ids: Iterable<string>): Promise<void> {
    await Promise.all([...ids].map((id) => this.#renew(id)));
  }

  /** Tries nothing again. */
  close(): void {
    this.#closed = true;
    for (const retry of this.#retries.values()) clearTimeout(retry);
  }

  async #renew(id: string): Promise<void> {
    if (this.#waiting.has(id)) return;
    const { turns, leadIn } = this.#options;
    const isReady = !turns.isTaken(id) && !this.#retries.has(id);
    this.#waiting.add(id);
    const done = turns
      .run(id, () => {
        this.#waiting.delete(id);
        return leadIn(id);
      })
      .then(
        () => this.#takeBackRetry(id),
        (error: unknown) => this.#retryLater(id, error),
      );
    if (isReady) await done;
  }

  #retryLater(id: string, error: unknown): void {
    const { log, retryMs: pause = retryMs } = this.#options;
    log(`server ${id}: what leads into it is not yet as it should be: ${messageOf(error)}`);
    this.#takeBackRetry(id);
    if (this.#closed) return;
    const retry = setTimeout(() => void this.#renew(id), pause);
    retry.unref();
    this.#retries.set(id, retry);
  }

  #takeBackRetry(id: string): void {
    clearTimeout(this.#retries.get(id));
    this.#retries.delete(id);
  }
}
