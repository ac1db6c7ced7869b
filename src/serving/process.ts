import { realpathSync } from "node:fs";
import { type Logger, pino } from "pino";
import { SlipwayError } from "../common/errors.ts";
import { readServingConfig, type ServingConfig } from "./config.ts";

/** A serving process that is up. */
export interface RunningProcess {
  /** Finishes what has begun and takes nothing more. */
  close: () => Promise<void>;
  /** Within which `close` must be done, in milliseconds. */
  drainMs?: number;
}

/** After SIGTERM, unless a process says otherwise; systemd's own limit is far above. */
const DRAIN_MS = 10_000;

/**
 * Runs a serving process from start to SIGTERM (or SIGINT): reads the configuration, logs one JSON line an event to standard output,
 * or a call of `stop` by the process itself, drains, exits with 0. A failed start exits with the error's exit code; the unit starts it again.
 */
export async function runServingProcess(
  name: string,
  start: (config: ServingConfig, log: Logger, stop: (reason: string) => void) => Promise<RunningProcess>,
): Promise<void> {
  const log = pino({ name, base: { pid: process.pid } });
  // what it starts later is of its own payload, though a release may have pointed the link that it was started by to another
  process.argv[1] = realpathSync(process.argv[1] ?? "");
  try {
    const config = await readServingConfig();
    let running: RunningProcess | undefined;
    let stopping = false;
    const stop = (reason: string) => {
      if (stopping || running === undefined) return;
      stopping = true;
      log.info({ reason }, "stopping");
      setTimeout(() => {
        log.error("did not drain in time");
        process.exit(1);
      }, running.drainMs ?? DRAIN_MS).unref();
      running.close().then(
        () => process.exit(0),
        (error: unknown) => {
          log.error({ err: error }, "did not stop well");
          process.exit(1);
        },
      );
    };
    running = await start(config, log, stop);
    process.on("SIGTERM", stop).on("SIGINT", stop);
  } catch (error) {
    log.fatal({ err: error, code: error instanceof SlipwayError ? error.code : undefined }, "cannot start");
    process.exit(exitCodeOf(error));
  }
}

function exitCodeOf(error: unknown): number {
  const { exitCode } = error as { exitCode?: unknown };
  return typeof exitCode === "number" && exitCode !== 0 ? exitCode : 1;
}
