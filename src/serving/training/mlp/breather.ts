import { setImmediate as otherWork } from "node:timers/promises";

/** For how long a computation may keep the thread. */
const TURN_MS = 15;

/** Lets other work of this thread come in between: messages, timers, an abort. */
export interface Breather {
  /** Resolves at once, or after other work where the turn is over. @throws the signal's reason once it is aborted */
  breathe(): Promise<void> | undefined;
}

/** To be asked between two pieces of a computation that each take a few milliseconds at most. */
export function startBreathing(signal: AbortSignal | undefined): Breather {
  let since = performance.now();
  const pause = async () => {
    await otherWork();
    since = performance.now();
    signal?.throwIfAborted();
  };
  return {
    breathe: () => {
      signal?.throwIfAborted();
      return performance.now() - since < TURN_MS ? undefined : pause();
    },
  };
}
