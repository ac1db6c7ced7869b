import { AsyncLocalStorage } from "node:async_hooks";

/** What a cloud's times are taken from, and what its delays wait for. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /**
   * Calls `work` once, when the clock has come `ms` further. `stopped` is called in its place where the clock ends before.
   * @returns takes the call back
   */
  after(ms: number, work: () => void, stopped?: () => void): () => void;
}

/** The machine's own clock. */
const realClock: Clock = {
  now: () => Date.now(),
  after(ms, work) {
    const timer = setTimeout(work, ms);
    return () => clearTimeout(timer);
  },
};

/** Times are stamped deep below each request; a clock in every signature on the way would tell nothing. Clouds of one process have one each. */
const current = new AsyncLocalStorage<Clock>();

/** Runs `work`, and all that it begins, by this clock. */
export function byClock<T>(clock: Clock, work: () => T): T {
  return current.run(clock, work);
}

const clock = () => current.getStore() ?? realClock;

/** The cloud's time: milliseconds since 1970. */
export function now(): number {
  return clock().now();
}

/** Calls `work` once, when the cloud's clock has come `ms` further. @returns takes the call back */
export function after(ms: number, work: () => void): () => void {
  return clock().after(ms, work);
}

/** The clock was ended: what waited for it is left as it is, for the cloud's next start. */
export class ClockEnded extends Error {
  override readonly name = "ClockEnded";

  constructor() {
    super("the cloud ends");
  }
}

/** Resolves when the cloud's clock has come `ms` further; without a wait at once. @throws ClockEnded */
export async function sleep(ms: number): Promise<void> {
  if (ms > 0) await new Promise<void>((resolve, reject) => clock().after(ms, resolve, () => reject(new ClockEnded())));
}
