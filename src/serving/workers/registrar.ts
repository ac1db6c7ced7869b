import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { messageOf } from "../../common/errors.ts";
import type { WorkerRegistration } from "./registration.ts";
import type { WorkerRegistry } from "./registry.ts";

export interface RegistrarOptions {
  registry: Pick<WorkerRegistry, "beat" | "leave">;
  /** What the worker is now. */
  worker: () => WorkerRegistration;
  ttlMs: number;
  heartbeatMs: number;
  log: Pick<Logger, "warn" | "info">;
}

/** After a heartbeat that did not arrive. */
const RETRY_MS = 500;

/**
 * Keeps a worker registered: with a heartbeat, and again when the registry was away or has forgotten it.
 * @returns what takes it out of the registry, at once where that answers; else its heartbeat ends by itself
 */
export function keepRegistered(options: RegistrarOptions): { renew: () => void; close: () => Promise<void> } {
  const { registry, worker, ttlMs, heartbeatMs, log } = options;
  let stopped = false;
  let problem: string | undefined;
  let wake = new AbortController();
  const run = async () => {
    while (!stopped) {
      let pauseMs = heartbeatMs;
      try {
        await registry.beat(worker(), ttlMs);
        if (problem !== undefined) log.info({ id: worker().id }, "registered again");
        problem = undefined;
      } catch (error) {
        if (problem === undefined) log.warn({ reason: messageOf(error) }, "cannot register: the registry is away");
        problem = messageOf(error);
        pauseMs = Math.min(RETRY_MS, heartbeatMs);
      }
      await sleep(pauseMs, undefined, { signal: wake.signal, ref: false }).catch(() => {
        wake = new AbortController();
      });
    }
  };
  const running = run();
  const renew = () => wake.abort();
  return {
    renew,
    close: async () => {
      stopped = true;
      renew();
      await running;
      await registry.leave(worker().id).catch((error: unknown) => {
        log.warn({ reason: messageOf(error) }, "could not leave the registry: the heartbeat ends by itself");
      });
    },
  };
}
