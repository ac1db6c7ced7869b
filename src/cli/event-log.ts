import { appendFileSync, chmodSync, writeFileSync } from "node:fs";
import { messageOf, SlipwayError } from "../common/errors.ts";
import type { Engine, EngineEvent, OperationOptions } from "../engine/engine.ts";

/**
 * An engine whose events go to a file as well: JSON lines in the form of the official `--event-log`, for the user alone, complete up to
 * the last event also when the process is killed. The file is begun anew; without a path nothing changes.
 * @throws SlipwayError E_USAGE where the file cannot be written
 */
export function withEventLog(engine: Engine, path: string | undefined): Engine {
  if (path === undefined) return engine;
  try {
    writeFileSync(path, "", { mode: 0o600 });
    chmodSync(path, 0o600); // it may have been there
  } catch (error) {
    throw new SlipwayError("E_USAGE", `the event log cannot be written: ${messageOf(error)}`, {
      hint: "Name a file in a folder that exists and that you may write to: `--event-log FILE`.",
      cause: error,
    });
  }
  const logging = (options: OperationOptions = {}): OperationOptions => ({
    ...options,
    onEvent: (event: EngineEvent) => {
      appendFileSync(path, `${JSON.stringify(event)}\n`);
      options.onEvent?.(event);
    },
  });
  return {
    ...engine,
    preview: (stack, options) => engine.preview(stack, logging(options)),
    up: (stack, options) => engine.up(stack, logging(options)),
    destroy: (stack, options) => engine.destroy(stack, logging(options)),
    refresh: (stack, options) => engine.refresh(stack, { ...options, ...logging(options) }),
  };
}
