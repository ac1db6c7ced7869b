import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { quoteForShell } from "../contextualization/helpers.ts";
import type { SshConnection } from "../remote/connection.ts";

const POLL_MS = 500;
const ANSWER_MS = 3000;

/** As much of `GET /v1/live` as is needed. */
const live = z.object({
  work: z.object({ queues: z.array(z.object({ waiting: z.number(), active: z.number() })) }).nullable(),
});

/** The jobs of a host that could begin or have begun: those before their time are not waited for. */
function unfinishedJobs(answer: unknown): number | undefined {
  const { data } = live.safeParse(answer);
  if (data === undefined || data.work === null) return undefined;
  return data.work.queues.reduce((sum, { waiting, active }) => sum + waiting + active, 0);
}

/** How many jobs an endpoint has to do; undefined where it does not tell. @param url without a slash at its end */
export async function jobsAt(url: string, signal: AbortSignal): Promise<number | undefined> {
  try {
    const until = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
    const answer = await fetch(`${url}/v1/live`, { signal: until });
    return answer.ok ? unfinishedJobs(await answer.json()) : undefined;
  } catch {
    signal.throwIfAborted();
    return undefined; // a host that does not answer takes and finishes no jobs
  }
}

/**
 * Waits inside a host, which nobody reaches from outside any more, until its jobs are done.
 * @returns how many were not when the time was over; undefined where the host does not tell
 */
export async function drainJobs(
  connection: SshConnection,
  { port, timeoutMs, signal }: { port: number; timeoutMs: number; signal: AbortSignal },
): Promise<number | undefined> {
  const url = quoteForShell(`http://127.0.0.1:${port}/v1/live`);
  const ask =
    `if command -v curl >/dev/null; then curl -fsS --max-time 3 ${url}; ` +
    `else python3 -c 'import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=3).read().decode())' ${url}; fi`;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const jobs = unfinishedJobs(jsonOf(await connection.run(ask, { signal })));
    if (jobs === undefined || jobs === 0 || performance.now() > deadline) return jobs;
    await sleep(POLL_MS, undefined, { signal });
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
