import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** In the frontend's state folder: whenever it is written, the host's agent looks at the stack's manifest at once. */
export const LOOK_FILE = "look";

/** However often it is asked, the agent is woken no more often. */
const PAUSE_MS = 200;

/**
 * Wakes the host's agent; whoever asks while it was just woken is served together with all others a moment later.
 * @param stateDir the only folder that the agent watches and the frontend may write
 * @returns what resolves once the agent was woken
 */
export function agentWaker(stateDir: string): () => Promise<void> {
  let last = Number.NEGATIVE_INFINITY;
  let next: Promise<void> | undefined;
  const wake = async () => {
    await sleep(Math.max(0, last + PAUSE_MS - performance.now()));
    next = undefined; // whoever asks from here on has published after this look may have begun
    last = performance.now();
    await writeFile(join(stateDir, LOOK_FILE), `${new Date().toISOString()}\n`, { mode: 0o640 });
  };
  return () => {
    next ??= wake();
    return next;
  };
}
