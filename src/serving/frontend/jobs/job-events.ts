import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { isEnded, type JobQueue } from "../../jobs/queue.ts";
import type { JobReport } from "../../jobs/records.ts";

/** Who follows a job: where its events go and from where on. */
export interface EventClient {
  response: ServerResponse;
  /** Log lines that the client has. */
  from: number;
  heartbeatMs: number;
  /** Ends it from our side. */
  signal: AbortSignal;
}

const LOG_LINES = 500;
/** After which a client comes back that we sent away. */
const RETURN_MS = 200;

/** How many log lines a client has, by the id of the last event that it got; `ended` for one that got all there is. */
export function placeOf(lastEventId: string | undefined): { from: number; ended: boolean } {
  const [, end, lines] = /^(end-)?(\d{1,9})$/.exec(lastEventId ?? "") ?? [];
  return { from: Number(lines ?? 0), ended: end !== undefined };
}

/**
 * Sends a job's state, progress and log lines as server-sent events until the job ends or the client goes. What is sent is how the job
 * differs from what was sent before, so that nothing is lost with an event, and a slow client gets less and not later. Resolves when the
 * client has everything or is gone; nothing is left then.
 */
export async function sendJobEvents(jobs: JobQueue, id: string, client: EventClient): Promise<void> {
  const { response, heartbeatMs, signal } = client;
  let from = client.from;
  const sent = { state: "", progress: "" };
  let wake = () => {};
  let stirred = false;
  let gone = false;
  const stir = () => {
    stirred = true;
    wake();
  };
  const leave = () => {
    gone = true;
    wake();
  };
  const unwatch = jobs.events.watch(id, stir);
  response.on("close", leave);
  signal.addEventListener("abort", leave);

  const write = async (text: string): Promise<void> => {
    if (gone || response.write(text)) return;
    await Promise.race([once(response, "drain"), once(response, "close")]).catch(() => undefined);
  };
  const send = (event: string, data: unknown, eventId = String(from)) =>
    write(`id: ${eventId}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);

  /** Sends what is new; true when the job has ended and the client has it all. */
  async function catchUp(): Promise<boolean> {
    const report = await jobs.find(id);
    if (!report) return true;
    await sendLog();
    const progress = JSON.stringify(report.progress ?? null);
    if (report.progress && progress !== sent.progress) await send("progress", report.progress);
    sent.progress = progress;
    const state = stateOf(report);
    const ended = isEnded(report.state);
    if (state !== sent.state) await send("state", JSON.parse(state), ended ? `end-${from}` : String(from));
    sent.state = state;
    return ended;
  }

  async function sendLog(): Promise<void> {
    for (;;) {
      const { lines } = await jobs.log(id, from, LOG_LINES);
      for (const line of lines) {
        from++;
        await send("log", { line });
      }
      if (gone || lines.length < LOG_LINES) return;
    }
  }

  try {
    response.write("retry: 2000\n\n");
    while (!gone) {
      stirred = false;
      try {
        if (await catchUp()) break;
      } catch {
        await write(": the job queue does not answer\n\n"); // the next look may find it
      }
      if (gone || stirred) continue;
      const beat = await new Promise<boolean>((resolve) => {
        const timer = setTimeout(() => resolve(true), heartbeatMs);
        wake = () => {
          clearTimeout(timer);
          resolve(false);
        };
      });
      if (beat) await write(": still here\n\n");
    }
  } finally {
    unwatch();
    response.off("close", leave);
    signal.removeEventListener("abort", leave);
    // whoever takes over is there already
    response.end(signal.aborted ? `retry: ${RETURN_MS}\n\n` : undefined);
  }
}

/** What of a report makes a new state: neither its progress, which has events of its own, nor its result. */
function stateOf({ progress: _, result: _result, steps, ...report }: JobReport): string {
  return JSON.stringify({ ...report, ...(steps && { steps: steps.map(({ progress: _progress, ...step }) => step) }) });
}
