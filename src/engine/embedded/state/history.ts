import { join } from "node:path";
import { writeFileAtomic } from "../../../common/files.ts";
import type { StackPaths } from "./backend.ts";

/** One line of a stack's history. */
export interface HistoryEntry {
  kind: "update" | "destroy";
  startedAt: Date;
  endedAt: Date;
  /** The stack file's own values, secrets sealed. */
  config: Record<string, unknown>;
  succeeded: boolean;
  resourceChanges: Record<string, number>;
}

/** Adds a finished operation to the history, with the checkpoint as it was then, and keeps a backup of the state. */
export async function recordHistory(
  paths: StackPaths,
  stack: string,
  entry: HistoryEntry,
  checkpoint: string,
): Promise<void> {
  // Pulumi names these files by nanoseconds; the clock of JavaScript ends at milliseconds.
  const moment = `${entry.endedAt.getTime()}000000`;
  const history = {
    kind: entry.kind,
    startTime: seconds(entry.startedAt),
    message: "",
    environment: { "exec.kind": "slipway" },
    config: entry.config,
    version: 0,
    result: entry.succeeded ? "succeeded" : "failed",
    endTime: seconds(entry.endedAt),
    resourceChanges: entry.resourceChanges,
  };
  await writeFileAtomic(join(paths.history, `${stack}-${moment}.history.json`), JSON.stringify(history));
  await writeFileAtomic(join(paths.history, `${stack}-${moment}.checkpoint.json`), checkpoint);
  await writeFileAtomic(join(paths.backups, `${stack}.${moment}.json`), checkpoint);
}

function seconds(date: Date): number {
  return Math.floor(date.getTime() / 1000);
}
