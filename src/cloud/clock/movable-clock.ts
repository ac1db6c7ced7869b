import { AsyncResource } from "node:async_hooks";
import { setImmediate as turnOfEvents } from "node:timers/promises";
import type { Clock } from "./clock.ts";

/** How a clock stands: at a moment, or so far ahead of the machine's own, milliseconds. */
export type ClockState = { frozenAt: number } | { aheadMs: number };

interface Waiting {
  /** Milliseconds since 1970. */
  due: number;
  work: () => void;
  stopped: () => void;
}

/** `setTimeout` takes no longer one. */
const longestTimerMs = 2 ** 31 - 1;

/**
 * A clock that goes as the machine's until it is frozen, and then goes only as far as it is told to. What waits for it is called in the order
 * of its times, and at equal times in the order in which it began to wait: each at its own time, and with everything that follows from
 * it (but answers of other processes) before the next.
 */
export class MovableClock implements Clock {
  #frozenAt: number | undefined;
  #aheadMs = 0;
  /** By time, then by the order of the calls. */
  readonly #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;
  #moves: Promise<unknown> = Promise.resolve();
  #ended = false;

  now(): number {
    return this.#frozenAt ?? Date.now() + this.#aheadMs;
  }

  /** What a later clock goes on from. */
  get state(): ClockState {
    return this.#frozenAt === undefined ? { aheadMs: this.#aheadMs } : { frozenAt: this.#frozenAt };
  }

  /** Goes on from where an earlier clock stood. */
  restore(state: ClockState): void {
    this.#frozenAt = "frozenAt" in state ? state.frozenAt : undefined;
    this.#aheadMs = "aheadMs" in state ? state.aheadMs : 0;
    this.#arm();
  }

  /** When the next of what waits is due, milliseconds since 1970. */
  get next(): number | undefined {
    return this.#waiting[0]?.due;
  }

  /** How much waits. */
  get waiting(): number {
    return this.#waiting.length;
  }

  after(ms: number, work: () => void, stopped: () => void = () => undefined): () => void {
    // with the caller's clock, whoever moves this one
    const entry = { due: this.now() + Math.max(0, ms), work: AsyncResource.bind(work), stopped };
    if (this.#ended) {
      queueMicrotask(stopped);
      return () => undefined;
    }
    const place = this.#waiting.findIndex(({ due }) => due > entry.due);
    this.#waiting.splice(place < 0 ? this.#waiting.length : place, 0, entry);
    this.#arm();
    return () => {
      const at = this.#waiting.indexOf(entry);
      if (at >= 0) this.#waiting.splice(at, 1);
      this.#arm();
    };
  }

  /** Stands still from now on; what is due already still happens. */
  freeze(): void {
    this.#frozenAt = this.now();
    this.#arm();
  }

  /** Goes on from where it stands. */
  resume(): void {
    if (this.#frozenAt === undefined) return;
    this.#aheadMs = this.#frozenAt - Date.now();
    this.#frozenAt = undefined;
    this.#arm();
  }

  /** Goes `ms` further, frozen or not; resolves when what was due until then has happened. Moves that come meanwhile follow. */
  advance(ms: number): Promise<void> {
    return this.#inTurn(() => this.#moveTo(this.now() + ms));
  }

  /** Goes to the time of the next of what waits. @returns whether there was any */
  advanceToNext(): Promise<boolean> {
    return this.#inTurn(async () => {
      await turnOfEvents(); // what was asked for just now begins to wait
      const { next } = this;
      if (next !== undefined) await this.#moveTo(Math.max(next, this.now()));
      return next !== undefined;
    });
  }

  /** Nothing happens any more; what waits is told. */
  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    for (const { stopped } of this.#waiting.splice(0)) stopped();
  }

  #inTurn<T>(move: () => Promise<T>): Promise<T> {
    const moved = this.#moves.then(move);
    this.#moves = moved;
    return moved;
  }

  async #moveTo(target: number): Promise<void> {
    const going = this.#frozenAt === undefined;
    this.freeze();
    await turnOfEvents();
    for (let due = this.next; due !== undefined && due <= target; due = this.next) {
      this.#frozenAt = Math.max(this.now(), due);
      this.#waiting.shift()?.work();
      await turnOfEvents();
    }
    this.#frozenAt = target;
    if (going) this.resume();
    this.#arm();
  }

  /** While it goes by itself, the machine's timer calls what is due. */
  #arm(): void {
    clearTimeout(this.#timer);
    const due = this.next;
    if (this.#frozenAt !== undefined || due === undefined) return;
    const call = () => {
      while (this.#frozenAt === undefined && (this.next ?? Number.POSITIVE_INFINITY) <= this.now()) {
        this.#waiting.shift()?.work();
      }
      this.#arm();
    };
    this.#timer = setTimeout(call, Math.min(Math.max(0, due - this.now()), longestTimerMs));
  }
}
