import type { WorkerCaller } from "./call.ts";
import type { HttpWorker } from "./registration.ts";

const MOST_BYTES = 256 * 1024;

/** What a worker says of itself at `GET /`, as firefly does: functions, their paths, parameters and texts. Undefined where it says nothing. */
export async function describeWorker(
  caller: Pick<WorkerCaller, "call">,
  worker: HttpWorker,
  timeoutMs: number,
): Promise<unknown> {
  try {
    const options = { method: "GET", path: "/", timeoutMs, connectMs: timeoutMs, answerBytes: MOST_BYTES } as const;
    const { status, body } = await caller.call(worker, options);
    return status === 200 ? (JSON.parse(body.toString("utf8")) as unknown) : undefined;
  } catch {
    return undefined;
  }
}
