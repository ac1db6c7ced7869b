import { lstat, mkdtemp, readdir, realpath } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { markOf, type ProcessMark } from "./hypervisors/nspawn/processes.ts";
import { removeLeftovers } from "./leftovers.ts";
import { instanceTag } from "./network/linux/names.ts";
import { removeTree } from "./store/remove.ts";
import { readInstance, stateFiles } from "./store/state.ts";

const prefix = "slipway-cloud";

/** Makes a folder for a cloud that ends with this process; its name says whose it is, so that the leavings of a killed one can be told. */
export async function makeTemporaryState(): Promise<string> {
  const mark = await markOf(process.pid); // undefined where there is no /proc
  return mkdtemp(join(tmpdir(), `${prefix}-${mark?.pid ?? process.pid}-${mark?.startTime ?? 0}-`));
}

/** Ends all that a temporary cloud has on the machine, whether its start came to an end or not, and removes its folder. */
export async function removeTemporaryState(folder: string): Promise<void> {
  const instance = instanceIn(folder);
  if (instance !== undefined) await removeLeftovers(instance);
  await removeTree(folder);
}

/** A folder that a process made for a cloud of its own. */
export interface TemporaryState {
  folder: string;
  maker: ProcessMark;
  /** The cloud's tag on the machine. */
  tag: string;
}

/** The temporary states of this machine that are of this user: what others have put there says nothing. */
export async function temporaryStates(): Promise<TemporaryState[]> {
  const parent = await realpath(tmpdir()); // as the kernel tells of what lies there
  const states: TemporaryState[] = [];
  for (const name of await readdir(parent)) {
    const maker = makerOfTemporaryState(name);
    const folder = join(parent, name);
    if (maker === undefined || !(await isOwnFolder(folder))) continue;
    // one that was killed before it had a database has nothing on the machine either, and goes by its folder's name
    states.push({ folder, maker, tag: instanceTag(instanceIn(folder) ?? name) });
  }
  return states;
}

async function isOwnFolder(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined); // removed just now
  return found?.isDirectory() === true && found.uid === process.getuid?.();
}

/** Undefined for what holds something else than a cloud's state too. */
function instanceIn(folder: string): string | undefined {
  try {
    return readInstance(stateFiles(folder).database);
  } catch {
    return undefined;
  }
}

/** The process that made a folder of this name; undefined for another folder. */
function makerOfTemporaryState(name: string): ProcessMark | undefined {
  const [, pid, startTime] = /^slipway-cloud-(\d+)-([1-9]\d*)-[A-Za-z0-9]{6}$/.exec(name) ?? [];
  return pid === undefined || startTime === undefined ? undefined : { pid: Number(pid), startTime };
}
