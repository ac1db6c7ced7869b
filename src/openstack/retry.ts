import { setTimeout as sleep } from "node:timers/promises";
import { OpenStackError } from "./errors.ts";
import { TransportError } from "./transport.ts";

/** How often a call is repeated at most, and the longest pause that a cloud may ask for, in milliseconds. */
export interface RetryLimits {
  attempts: number;
  firstPauseMs: number;
  maxPauseMs: number;
}

export const defaultRetryLimits: RetryLimits = { attempts: 5, firstPauseMs: 200, maxPauseMs: 30_000 };

const idempotent = new Set(["GET", "HEAD", "PUT", "DELETE"]);

/** A call that may be made twice; a login, which is a POST, leaves nothing behind. */
function isRepeatable({ method, url }: { method: string; url: string }): boolean {
  return idempotent.has(method) || url.endsWith("/auth/tokens");
}

/**
 * Whether a failed call may be sent again, by class:
 * 429 always (the cloud did not take it); 503 where it names a Retry-After or the call is repeatable; 502 and 504 and a
 * broken connection only for repeatable calls; a name server or a route that fails for the moment always; a call that ran out of
 * time, an address where nobody listens and a name that does not exist never.
 */
function isRetryable(error: unknown): boolean {
  if (error instanceof OpenStackError) {
    if (error.status === 429) return true;
    if (error.status === 503) return error.retryAfter !== undefined || isRepeatable(error);
    return (error.status === 502 || error.status === 504) && isRepeatable(error);
  }
  if (error instanceof TransportError) {
    if (error.code === "TIMEOUT" || error.code === "ECONNREFUSED" || error.code === "ENOTFOUND") return false;
    return error.notSent || isRepeatable(error);
  }
  return false;
}

/** Makes the call again while its failure allows it and the limits last; the pause doubles unless the cloud names one. */
export async function withRetries<T>(
  attempt: () => Promise<T>,
  { attempts, firstPauseMs, maxPauseMs }: RetryLimits,
  signal?: AbortSignal,
): Promise<T> {
  for (let made = 1; ; made += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (made >= attempts || !isRetryable(error)) throw error;
      const asked = error instanceof OpenStackError ? error.retryAfter : undefined;
      const pause = asked === undefined ? firstPauseMs * 2 ** (made - 1) : asked * 1000;
      if (pause > maxPauseMs) throw error;
      await sleep(pause, undefined, signal === undefined ? undefined : { signal });
    }
  }
}
