import { setTimeout as sleep } from "node:timers/promises";
import { SlipwayError } from "../common/errors.ts";
import { connectSsh, type SshConnection, type SshTarget } from "./connection.ts";

const PAUSE_MS = 1000;

/**
 * {@link connectSsh} until the host answers: one that boots, or whose address was just attached, does so late. A host that refuses the
 * key, or presents a wrong one, will not do otherwise later.
 * @throws SlipwayError E_HOST_KEY at once; E_SSH, the last one, when the time is over
 */
export async function awaitSsh(
  target: SshTarget,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
): Promise<SshConnection> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await connectSsh(target, signal);
    } catch (error) {
      if (!isPassing(error) || performance.now() + PAUSE_MS > deadline) throw error;
    }
    await sleep(PAUSE_MS, undefined, { signal });
  }
}

function isPassing(error: unknown): boolean {
  if (!(error instanceof SlipwayError) || error.code !== "E_SSH") return false;
  return (error.cause as { level?: string } | undefined)?.level !== "client-authentication";
}
