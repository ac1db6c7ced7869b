import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { messageOf } from "../../common/errors.ts";
import { afterAlert, alertDue, healthAfter } from "./health.ts";
import type { Probe } from "./probe.ts";
import type { WorkerHealth, WorkerRecord, WorkerRegistration } from "./registration.ts";
import type { WorkerRegistry } from "./registry.ts";
import type { WorkersSettings } from "./settings.ts";

/** Tells that a worker is down, or up again. Does not reject. */
export type Notify = (event: "down" | "up", worker: WorkerRegistration, health: WorkerHealth) => Promise<void>;

export interface ProberOptions {
  registry: Pick<WorkerRegistry, "read" | "lead" | "stepDown" | "setHealth" | "remove">;
  probe: Probe;
  notify: Notify;
  settings: Pick<WorkersSettings, "probe" | "ttlMs" | "ignoreFailCount" | "alertPeriodHours">;
  log: Pick<Logger, "warn" | "info">;
  now?: () => Date;
}

/** Probes under way at a time. */
const MOST_PROBES = 32;
/** A worker whose heartbeat ended so long ago is forgotten. */
const FORGET_MS = 3_600_000;

/**
 * Looks at all workers again and again, if this process is the one of all that share the registry which does: the others stand by. So
 * there is one look per worker and interval, and one message.
 */
export function startProber(options: ProberOptions): { close: () => Promise<void> } {
  const { registry, settings, log } = options;
  const { intervalMs, timeoutMs } = settings.probe;
  const token = randomUUID();
  const stop = new AbortController();
  const leadMs = 2 * (intervalMs + timeoutMs);
  let leads = false;
  let askedAt = Number.NEGATIVE_INFINITY;
  /** Since when the registry has answered without a break. */
  let answeredSince: number | undefined;
  /** Whether this process is the one that looks, which a long round makes sure of again and again. */
  const leading = async (again: boolean) => {
    if (again && leads && performance.now() - askedAt < leadMs / 2) return true;
    askedAt = performance.now();
    leads = await registry.lead(token, leadMs);
    answeredSince ??= performance.now();
    return leads;
  };
  const round = async () => {
    if (!(await leading(false))) return;
    const { records } = await registry.read();
    // after a start, and while the registry was away, heartbeats had no chance to be heard
    const isPatient = performance.now() - (answeredSince ?? 0) < settings.ttlMs;
    const queue = isPatient ? records.filter(({ alive }) => alive !== false) : [...records];
    const next = async () => {
      for (let record = queue.shift(); record && !stop.signal.aborted; record = queue.shift()) {
        if (!(await leading(true))) return;
        await look(record, options);
      }
    };
    await Promise.all(Array.from({ length: MOST_PROBES }, next));
  };
  const run = async () => {
    while (!stop.signal.aborted) {
      const began = performance.now();
      try {
        await round();
      } catch (error) {
        if (leads) log.warn({ reason: messageOf(error) }, "workers are not probed");
        leads = false;
        answeredSince = undefined;
      }
      const restMs = Math.max(0, intervalMs - (performance.now() - began));
      await sleep(restMs, undefined, { signal: stop.signal, ref: false }).catch(() => undefined);
    }
  };
  const running = run();
  return {
    close: async () => {
      stop.abort();
      await running;
      if (leads) await registry.stepDown(token).catch(() => undefined);
    },
  };
}

/** One look at a worker, what follows from it for its health, and what is to be told. */
async function look({ worker, alive, health }: WorkerRecord, options: ProberOptions): Promise<void> {
  const { registry, probe, notify, settings, log, now = () => new Date() } = options;
  const failure = alive === false ? "its heartbeat ended" : worker.kind === "http" ? await probe(worker) : undefined;
  const at = now();
  if (alive === false && health?.state === "failing" && at.getTime() - Date.parse(health.since) > FORGET_MS) {
    log.info({ id: worker.id, since: health.since }, "worker forgotten");
    await registry.remove(worker.id);
    return;
  }
  const looked = healthAfter(health, { failure, at }, settings);
  const alert = alertDue(looked, settings);
  const told = alert ? afterAlert(looked, alert, at) : looked;
  await registry.setHealth(worker.id, told, told.state !== health?.state);
  if (told.state !== health?.state && (told.state === "failing" || health)) {
    log.info({ id: worker.id, state: told.state, reason: failure }, "worker's state");
  }
  if (alert) void notify(alert, worker, looked);
}
