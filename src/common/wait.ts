import { setTimeout as sleep } from "node:timers/promises";
import { SlipwayError } from "./errors.ts";

/** What the last look, the one at the deadline, is given to answer. */
const LAST_LOOK_MS = 1000;

/** How often and how long {@link waitFor} looks. Times in milliseconds. */
export interface WaitOptions {
  timeoutMs: number;
  /** Pause before the second look; grows by half each time up to `maxIntervalMs`. */
  intervalMs?: number;
  maxIntervalMs?: number;
  signal?: AbortSignal;
}

/**
 * Looks until `probe` answers something else than undefined, and returns it. The last look is at the deadline; a look that is under
 * way then is abandoned.
 * @param what the awaited state, for the message: "server web to become ACTIVE"
 * @throws SlipwayError E_TIMEOUT when the deadline passes; whatever `probe` throws
 */
export async function waitFor<T>(
  what: string,
  probe: () => Promise<T | undefined>,
  { timeoutMs, intervalMs = 100, maxIntervalMs = 2000, signal }: WaitOptions,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  const tooLate = () => new SlipwayError("E_TIMEOUT", `gave up waiting ${timeoutMs / 1000} s for ${what}`);
  for (let pause = intervalMs; ; pause = Math.min(pause * 1.5, maxIntervalMs)) {
    signal?.throwIfAborted();
    const left = deadline - performance.now();
    const found = await within(Math.max(left, LAST_LOOK_MS), probe(), tooLate);
    if (found !== undefined) return found;
    if (left <= 0) throw tooLate();
    await sleep(Math.max(0, Math.min(pause, deadline - performance.now())), undefined, signal ? { signal } : undefined);
  }
}

/** What `work` resolves to, or a rejection with `tooLate` after `ms`; nothing is left behind but the abandoned work. */
async function within<T>(ms: number, work: Promise<T>, tooLate: () => Error): Promise<T> {
  const done = new AbortController();
  const alarm = sleep(ms, undefined, { signal: done.signal }).then(() => {
    throw tooLate();
  });
  try {
    return await Promise.race([work, alarm]);
  } finally {
    done.abort();
  }
}
