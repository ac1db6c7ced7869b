import cluster, { type Worker } from "node:cluster";
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { inheritedSocket } from "../../listening/inherited.ts";
import type { Reading } from "../../metrics/meter.ts";
import { type Totals, together } from "../../metrics/totals.ts";
import { followListening, handOnWhenItDies } from "./handed-over.ts";
import { Hits } from "./hits.ts";
import type { FromPrimary, FromWorker, Question } from "./messages.ts";

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;
/** A process that stayed up for so long has not failed to start. */
const STEADY_MS = 10_000;
/** A process that does not tell its figures within this is left out of one look. */
const TAKE_MS = 1000;
/** Within which connections that are accepted get to a process; on a machine that is full it takes longer than a moment. */
export const HAND_OVER_MS = 4000;
const LOOK_MS = 2;

export interface PrimaryOptions {
  processes: number;
  totals: Totals;
  log: Logger;
}

/** The processes that serve. */
export interface Fleet {
  /** Has all finish what has begun. Resolves when they have ended; rejects where one did not end well. */
  close(): Promise<void>;
}

/**
 * Starts a frontend's processes, which share its port, and keeps as many up: one that dies is started anew, after a pause that grows while
 * they die young. Adds up what they count.
 * @returns once all listen
 * @throws StartFailed where the first ones do not start: each has logged why
 */
export async function startFleet({ processes, totals, log }: PrimaryOptions): Promise<Fleet> {
  const sessionKey = randomBytes(32).toString("base64");
  const hits = new Hits();
  const stopAccepting = followListening();
  const takes = new Map<string, (gauges: Reading[]) => void>();
  const ends = new Map<Worker, Promise<void>>();
  const onTheWay = new Map<Worker, () => number>();
  let nextTake = 1;
  let stopping = false;
  let pauseMs = FIRST_PAUSE_MS;
  let failures = 0;

  const figures = async (): Promise<Reading[]> => {
    const gauges = await Promise.all([...ends.keys()].map((worker) => take(worker)));
    return [...totals.readings(), ...together(gauges.flat())];
  };

  const take = (worker: Worker) =>
    new Promise<Reading[]>((resolve) => {
      const id = nextTake++;
      const settle = (gauges: Reading[]) => {
        clearTimeout(timer);
        takes.delete(`${worker.id} ${id}`);
        resolve(gauges);
      };
      const timer = setTimeout(() => settle([]), TAKE_MS);
      takes.set(`${worker.id} ${id}`, settle);
      tell(worker, { kind: "take", id });
    });

  const answerTo = async (question: Question): Promise<unknown> => {
    if (question.what === "session-key") return sessionKey;
    if (question.what === "hit") return hits.hit(question.key, question.windowMs);
    return figures();
  };

  /** Resolves when the process listens; rejects when it ends before. */
  const start = () =>
    new Promise<void>((resolve, reject) => {
      const worker = cluster.fork();
      onTheWay.set(worker, handOnWhenItDies(worker));
      const since = performance.now();
      worker.on("error", (error) => log.warn({ err: error, worker: worker.process.pid }, "channel to a process"));
      worker.on("message", (message: FromWorker) => {
        switch (message.kind) {
          case "up":
            return resolve();
          case "counts":
            return totals.absorb(message.readings);
          case "taken":
            totals.absorb(message.counts);
            return takes.get(`${worker.id} ${message.id}`)?.(message.gauges);
          case "question":
            void answerTo(message.question).then((answer) => tell(worker, { kind: "answer", id: message.id, answer }));
        }
      });
      ends.set(
        worker,
        new Promise((ended) => {
          worker.once("exit", (code, signal) => {
            reject(new StartFailed(code));
            if (stopping && code !== 0) failures++;
            else if (!stopping) log.warn({ worker: worker.process.pid, code, signal }, "a process ended");
            if (performance.now() - since > STEADY_MS) pauseMs = FIRST_PAUSE_MS;
          });
          // after its last message: the process itself may be gone sooner
          worker.once("disconnect", () => {
            ends.delete(worker);
            onTheWay.delete(worker);
            ended();
          });
        }),
      );
    });

  /** Starts the process again whenever it has ended, until all are told to stop. */
  const keepUp = () => {
    const again = () => {
      if (stopping) return;
      if (inheritedSocket("http") !== undefined && Object.keys(cluster.workers ?? {}).length === 0) {
        // node:cluster has closed what was handed over with the last process that listened
        log.fatal("all processes ended: started anew, the sockets are handed over again");
        process.exit(1);
      }
      setTimeout(() => {
        if (!stopping) start().catch(() => undefined);
      }, pauseMs).unref();
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    };
    cluster.on("exit", again);
  };

  // Some may serve already while others start: whoever stops the frontend now must not cut them off.
  let interrupted: NodeJS.Signals | undefined;
  const remember = (signal: NodeJS.Signals) => {
    interrupted = signal;
  };
  process.on("SIGTERM", remember).on("SIGINT", remember);
  const first = Array.from({ length: processes }, start);
  try {
    await Promise.all(first);
  } catch (error) {
    stopping = true;
    await Promise.allSettled(first);
    for (const worker of ends.keys()) worker.process.kill("SIGTERM");
    await Promise.all(ends.values());
    if (interrupted) process.exit(0);
    throw error;
  }
  // by then the caller listens for signals itself
  setImmediate(() => {
    process.off("SIGTERM", remember).off("SIGINT", remember);
    if (interrupted) process.kill(process.pid, interrupted);
  });
  keepUp();
  log.info({ processes }, "started");
  return {
    close: async () => {
      stopping = true;
      stopAccepting();
      const patience = performance.now() + HAND_OVER_MS;
      while ([...onTheWay.values()].some((count) => count() > 0) && performance.now() < patience) await sleep(LOOK_MS);
      for (const worker of ends.keys()) worker.process.kill("SIGTERM");
      await Promise.all(ends.values());
      if (failures > 0) throw new Error(`${failures} processes did not end well`);
    },
  };
}

/** A frontend's process did not start. */
class StartFailed extends Error {
  override readonly name = "StartFailed";
  readonly exitCode: number;

  constructor(exitCode: number | null) {
    super("a process of the frontend did not start; it has told why");
    this.exitCode = exitCode ?? 1;
  }
}

function tell(worker: Worker, message: FromPrimary): void {
  if (worker.isConnected()) worker.send(message, () => undefined);
}
