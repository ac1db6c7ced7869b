import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type KernelLock, tryLock } from "../common/kernel-lock.ts";
import { isAlive, type ProcessMark } from "./hypervisors/nspawn/processes.ts";
import { findEverything, type Leftover, removeLeftovers } from "./leftovers.ts";
import { type Reservation, reservations } from "./network/linux/external-network.ts";
import { instanceTag, isOwnName } from "./network/linux/names.ts";
import { readInstance, stateFiles } from "./store/state.ts";
import { makerOfTemporaryState } from "./temporary-state.ts";

/**
 * How a cloud is that something on this machine carries the tag of:
 * - `running`: a process runs it;
 * - `stopped`: none does, its guests run on, and its next start finds them;
 * - `dead`: nothing of it runs, its state is there: what is left on the machine is of no use, its next start makes all of it anew;
 * - `gone`: its state is not there any more, so nobody can ever use what is left;
 * - `unknown`: nothing shows that it is an embedded cloud's at all.
 */
export type Condition = "running" | "stopped" | "dead" | "gone" | "unknown";

/** What a cloud has on this machine, and whether it needs it. */
export interface Examined {
  tag: string;
  condition: Condition;
  /** Where its state is, or was, as far as that is known. */
  stateDir: string | undefined;
  /** What it has on the machine. */
  found: Leftover[];
  /** What of it can go. */
  removable: Leftover[];
}

/** What is known of a cloud before its state is looked at. */
interface Clues {
  tag: string;
  found: Leftover[];
  reservation: Reservation | undefined;
  /** A folder that a process made for itself alone. */
  temporary: { folder: string; maker: ProcessMark } | undefined;
}

/** Looks at everything on this machine that carries an embedded cloud's tag, and changes nothing. */
export async function examineMachine(): Promise<Examined[]> {
  const [everything, reserved, temporary] = await Promise.all([findEverything(), reservations(), temporaryStates()]);
  const tags = new Set([...everything.map(({ tag }) => tag), ...temporary.keys()]);
  const clues = [...tags].toSorted().map(
    (tag): Clues => ({
      tag,
      found: everything.filter((leftover) => leftover.tag === tag),
      reservation: reserved.get(tag),
      temporary: temporary.get(tag),
    }),
  );
  return Promise.all(clues.map(examine));
}

async function examine(clues: Clues): Promise<Examined> {
  const { tag, temporary } = clues;
  const stateDir = temporary?.folder ?? stateDirOf(clues);
  const condition = await conditionOf(clues, stateDir);
  const folder: Leftover[] = temporary === undefined ? [] : [{ kind: "folder", name: temporary.folder, tag }];
  const found = [...clues.found, ...folder];
  return { tag, condition, stateDir, found, removable: removableOf(condition, found) };
}

function removableOf(condition: Condition, found: Leftover[]): Leftover[] {
  if (condition === "gone") return found;
  // its range is kept for it: routers and floating IPs in its state have addresses of it
  return condition === "dead" ? found.filter(({ kind }) => kind !== "range") : [];
}

async function conditionOf({ tag, found, reservation, temporary }: Clues, stateDir: string | undefined) {
  const owners = [reservation?.owner, temporary?.maker].filter((owner) => owner !== undefined);
  if ((await Promise.all(owners.map(isAlive))).includes(true)) return "running";
  if (temporary !== undefined) return "gone";
  if (stateDir === undefined) return found.some(({ kind, name }) => isOwnName(kind, name)) ? "gone" : "unknown";
  const { database } = stateFiles(stateDir);
  if (!existsSync(stateDir)) return "gone";
  const instance = readInstance(database);
  if (instance === undefined || instanceTag(instance) !== tag) return "unknown";
  const lock = tryLock(stateFiles(stateDir).lock);
  lock?.release();
  if (lock === undefined) return "running";
  return found.some(({ kind }) => kind === "process") ? "stopped" : "dead";
}

/** The folder that a cloud's things on the machine lead to. */
function stateDirOf({ found, reservation }: Clues): string | undefined {
  if (reservation !== undefined) return dirname(reservation.record);
  const paths = found.flatMap(({ kind, name }) => (kind === "mount" || kind === "loop" ? [name] : []));
  return paths.map((path) => /(\/.*)\/guests\/[^/]+\/(?:root|disks)/.exec(path)?.[1]).find(Boolean);
}

/**
 * Removes what can go of one cloud; not where it was started since it was examined. Returns what is left of it.
 */
export async function removeExamined({ tag, condition, stateDir, removable }: Examined): Promise<Leftover[]> {
  if (removable.length === 0) return [];
  const lock = condition === "dead" && stateDir !== undefined ? tryLock(stateFiles(stateDir).lock) : noLock;
  if (lock === undefined) return [];
  try {
    await removeLeftovers(tag, condition === "dead" ? ["range"] : []);
    for (const { kind, name } of removable) if (kind === "folder") await rm(name, { recursive: true, force: true });
  } finally {
    lock.release();
  }
  const again = (await examineMachine()).find((examined) => examined.tag === tag);
  return again?.removable ?? [];
}

const noLock: KernelLock = { release: () => undefined };

/** The folders of clouds that processes made for themselves, by the clouds' tags. */
async function temporaryStates(): Promise<Map<string, { folder: string; maker: ProcessMark }>> {
  const states = new Map<string, { folder: string; maker: ProcessMark }>();
  for (const name of await readdir(tmpdir())) {
    const maker = makerOfTemporaryState(name);
    if (maker === undefined) continue;
    const folder = join(tmpdir(), name);
    // one that was killed before it had a database has nothing on the machine either, and goes by its folder's name
    states.set(instanceTag(readInstance(stateFiles(folder).database) ?? name), { folder, maker });
  }
  return states;
}
