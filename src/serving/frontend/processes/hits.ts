/** Callers that are remembered at a time; the longest known is forgotten first. */
const MAX_CALLERS = 50_000;

/** Counts callers' requests within windows that begin with their first. */
export class Hits {
  readonly #callers = new Map<string, { current: number; until: number }>();

  /** Counts one; how many there were in this window, and how long it lasts still (ms). */
  hit(key: string, windowMs: number, now = Date.now()): { current: number; ttl: number } {
    let caller = this.#callers.get(key);
    if (!caller || caller.until <= now) {
      this.#callers.delete(key);
      caller = { current: 0, until: now + windowMs };
      this.#callers.set(key, caller);
      const [oldest] = this.#callers.keys();
      if (this.#callers.size > MAX_CALLERS && oldest !== undefined) this.#callers.delete(oldest);
    }
    caller.current++;
    return { current: caller.current, ttl: caller.until - now };
  }
}
