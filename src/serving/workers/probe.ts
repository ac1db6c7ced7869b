import { connect, isIP, type LookupFunction } from "node:net";
import { messageOf } from "../../common/errors.ts";
import type { WorkerCaller } from "./call.ts";
import type { AddressGuard } from "./networks.ts";
import type { HttpWorker } from "./registration.ts";
import type { WorkersSettings } from "./settings.ts";

/** What an answer to a probe may have at most. */
const PROBE_BYTES = 1024 * 1024;

/** Looks at a worker: why it fails, undefined for a pass. Does not reject. */
export type Probe = (worker: HttpWorker) => Promise<string | undefined>;

/** Probes as they are configured: a TCP connection, or `GET` with a status below 400. */
export function probeOf(
  settings: WorkersSettings["probe"],
  caller: Pick<WorkerCaller, "call">,
  guard: AddressGuard,
): Probe {
  const { kind, path, timeoutMs } = settings;
  if (kind === "tcp") return ({ host, port }) => probeTcp(host, port, timeoutMs, guard);
  return async (worker) => {
    try {
      const call = { method: "GET", path, timeoutMs, connectMs: timeoutMs, answerBytes: PROBE_BYTES } as const;
      const { status } = await caller.call(worker, call);
      return status < 400 ? undefined : `GET ${path} is answered with ${status}`;
    } catch (error) {
      return messageOf(error);
    }
  };
}

function probeTcp(host: string, port: number, timeoutMs: number, guard: AddressGuard): Promise<string | undefined> {
  const refusal = isIP(host) ? guard.refusalOf(host) : undefined;
  if (refusal !== undefined) return Promise.resolve(refusal);
  return new Promise((resolve) => {
    const socket = connect({ host, port, lookup: guard.lookup as LookupFunction });
    const settle = (failure: string | undefined) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(failure);
    };
    const timer = setTimeout(() => settle(`no connection within ${timeoutMs} ms`), timeoutMs);
    socket.once("connect", () => settle(undefined));
    socket.on("error", (error) => settle(messageOf(error)));
  });
}
