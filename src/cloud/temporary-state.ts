import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { markOf, type ProcessMark } from "./hypervisors/nspawn/processes.ts";

const prefix = "slipway-cloud";

/** Makes a folder for a cloud that ends with this process; its name says whose it is, so that the leavings of a killed one can be told. */
export async function makeTemporaryState(): Promise<string> {
  const mark = await markOf(process.pid); // undefined where there is no /proc
  return mkdtemp(join(tmpdir(), `${prefix}-${mark?.pid ?? process.pid}-${mark?.startTime ?? 0}-`));
}

/** The process that made a folder of this name; undefined for another folder. */
export function makerOfTemporaryState(name: string): ProcessMark | undefined {
  const [, pid, startTime] = /^slipway-cloud-(\d+)-([1-9]\d*)-[A-Za-z0-9]{6}$/.exec(name) ?? [];
  return pid === undefined || startTime === undefined ? undefined : { pid: Number(pid), startTime };
}
