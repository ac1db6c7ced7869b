import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { bearer } from "../common/bearer.ts";
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

/** Who asks. */
interface Asking {
  /** A caller's, where the host has tokens. */
  token: string | undefined;
  signal: AbortSignal;
}

/** How many jobs an endpoint has to do; undefined where it does not tell. @param url without a slash at its end */
export async function jobsAt(url: string, { token, signal }: Asking): Promise<number | undefined> {
  try {
    const until = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
    const headers = bearer(token);
    const answer = await fetch(`${url}/v1/live`, { signal: until, headers });
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
  { port, timeoutMs, token, signal }: Asking & { port: number; timeoutMs: number },
): Promise<number | undefined> {
  const url = quoteForShell(`http://127.0.0.1:${port}/v1/live`);
  // the token goes over stdin: arguments are everybody's to read
  const ask =
    `if command -v curl >/dev/null; then curl -fsS --max-time 3 -H @- ${url}; ` +
    `else python3 -c ${quoteForShell(askInPython)} ${url}; fi`;
  const input = token === undefined ? "" : `Authorization: Bearer ${token}\n`;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const jobs = unfinishedJobs(jsonOf(await connection.run(ask, { input, signal })));
    if (jobs === undefined || jobs === 0 || performance.now() > deadline) return jobs;
    await sleep(POLL_MS, undefined, { signal });
  }
}

const askInPython =
  "import sys, urllib.request as r; headers = dict(line.strip().split(': ', 1) for line in sys.stdin if line.strip()); " +
  "print(r.urlopen(r.Request(sys.argv[1], headers=headers), timeout=3).read().decode())";

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
