import { appendFileSync, chmodSync, statSync, writeFileSync } from "node:fs";
import { messageOf, SlipwayError } from "../common/errors.ts";
import type { Engine, EngineEvent, OperationOptions } from "../engine/engine.ts";

/**
 * An engine whose events go to a file as well: JSON lines in the form of the official `--event-log`, for the user alone, complete up to
 * the last event also when the process is killed. The file is begun anew; without a path nothing changes. A log that cannot be
 * continued ends with a warning: the operation must not fail of it half-way.
 * @throws SlipwayError E_USAGE where the file cannot be written
 */
export function withEventLog(engine: Engine, path: string | undefined): Engine {
  if (path === undefined) return engine;
  begin(path);
  const logging = (options: OperationOptions = {}): OperationOptions => ({
    ...options,
    onEvent: appending(path, options.onEvent ?? (() => undefined)),
  });
  return {
    ...engine,
    preview: (stack, options) => engine.preview(stack, logging(options)),
    up: (stack, options) => engine.up(stack, logging(options)),
    destroy: (stack, options) => engine.destroy(stack, logging(options)),
    importResources: (stack, resources, options) =>
      engine.importResources(stack, resources, { ...options, ...logging(options) }),
    refresh: (stack, options) => engine.refresh(stack, { ...options, ...logging(options) }),
  };
}

function begin(path: string): void {
  try {
    writeFileSync(path, "", { mode: 0o600 });
    // it may have been there; what is no file (/dev/stderr, a pipe) is not ours to close to others
    if (statSync(path).isFile()) chmodSync(path, 0o600);
  } catch (error) {
    throw new SlipwayError("E_USAGE", `the event log cannot be written: ${messageOf(error)}`, {
      hint: "Name a file in a folder that exists and that you may write to: `--event-log FILE`.",
      cause: error,
    });
  }
}

function appending(path: string, onEvent: (event: EngineEvent) => void): (event: EngineEvent) => void {
  let isOpen = true;
  return (event) => {
    if (isOpen) {
      try {
        appendFileSync(path, `${JSON.stringify(event)}\n`);
      } catch (error) {
        isOpen = false;
        const message = `the event log ends here: ${messageOf(error)}\n`;
        const { sequence, timestamp } = event;
        const warning = { prefix: "warning: ", message, color: "never", severity: "warning" } as const;
        onEvent({ sequence, timestamp, diagnosticEvent: warning });
      }
    }
    onEvent(event);
  };
}
