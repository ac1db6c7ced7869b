import { setTimeout as sleep } from "node:timers/promises";
import { SlipwayError } from "./errors.ts";

/** How often and how long {@link waitFor} looks. Times in milliseconds. */
export interface WaitOptions {
  timeoutMs: number;
  /** Pause before the second look; grows by half each time up to `maxIntervalMs`. */
  intervalMs?: number;
  maxIntervalMs?: number;
  signal?: AbortSignal;
}

/**
 * Looks until `probe` answers something else than undefined, and returns it.
 * @param what the awaited state, for the message: "server web to become ACTIVE"
 * @throws SlipwayError E_TIMEOUT when the deadline passes; whatever `probe` throws
 */
export async function waitFor<T>(
  what: string,
  probe: () => Promise<T | undefined>,
  { timeoutMs, intervalMs = 100, maxIntervalMs = 2000, signal }: WaitOptions,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (let pause = intervalMs; ; pause = Math.min(pause * 1.5, maxIntervalMs)) {
    signal?.throwIfAborted();
    const found = await probe();
    if (found !== undefined) return found;
    if (performance.now() + pause > deadline) {
      throw new SlipwayError("E_TIMEOUT", `gave up waiting ${Math.round(timeoutMs / 1000)} s for ${what}`);
    }
    await sleep(pause, undefined, signal ? { signal } : undefined);
  }
}
