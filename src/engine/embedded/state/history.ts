import { join } from "node:path";
import { currentPacking, type StackPaths, unixNano } from "./backend.ts";
import { writeBlob } from "./blob.ts";
import { mediaTypeOf, pack } from "./packing.ts";

/** One line of a stack's history. */
export interface HistoryEntry {
  kind: "update" | "refresh" | "destroy" | "resource-import";
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
  const moment = unixNano(entry.endedAt);
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
  const packing = await currentPacking(paths);
  const write = async (path: string, text: string) =>
    writeBlob(`${path}.json${packing}`, await pack(text, packing), mediaTypeOf(packing));
  const name = join(paths.history, `${stack}-${moment}`);
  await write(`${name}.history`, JSON.stringify(history));
  await write(`${name}.checkpoint`, checkpoint);
  if (!paths.switches.disableBackups) await write(join(paths.backups, `${stack}.${moment}`), checkpoint);
}

function seconds(date: Date): number {
  return Math.floor(date.getTime() / 1000);
}
