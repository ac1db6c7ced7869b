import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { messageOf } from "../common/errors.ts";
import { pathExists } from "../common/files.ts";
import { type KernelLock, tryLock } from "../common/kernel-lock.ts";
import { holdsProcesses } from "./hypervisors/nspawn/cgroups.ts";
import { isAlive } from "./hypervisors/nspawn/processes.ts";
import { findEverything, type Leftover, removeLeftovers } from "./leftovers.ts";
import { type Reservation, reservations } from "./network/linux/external-network.ts";
import { instanceTag, isOwnName } from "./network/linux/names.ts";
import { processesInNamespace } from "./network/linux/netns.ts";
import { isLocked } from "./store/lock.ts";
import { removeTree } from "./store/remove.ts";
import { readInstance, stateFiles } from "./store/state.ts";
import { type TemporaryState, temporaryStates } from "./temporary-state.ts";

/**
 * How a cloud is that something on this machine carries the tag of:
 * - `running`: a process runs it;
 * - `stopped`: none does, its guests run on, and its next start finds them;
 * - `dead`: nothing of it runs, its state is there: what is left on the machine is of no use, its next start makes all of it anew;
 * - `gone`: its state is not there any more, so nobody can ever use what is left;
 * - `unknown`: nothing shows that it is an embedded cloud's at all, or something of it lives and nothing shows whose it is.
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
  /** Folders that processes made for themselves alone. */
  temporary: TemporaryState[];
  ownLock: string | undefined;
}

/** Looks at everything on this machine that carries an embedded cloud's tag, and changes nothing. */
export function examineMachine(): Promise<Examined[]> {
  return examineAll(undefined);
}

/** @param ownLock the lock's file that this process holds meanwhile: it says nothing of the cloud */
async function examineAll(ownLock: string | undefined): Promise<Examined[]> {
  const [everything, reserved, temporary] = await Promise.all([findEverything(), reservations(), temporaryStates()]);
  const tags = new Set([...everything, ...temporary].map(({ tag }) => tag));
  const clues = [...tags].toSorted().map(
    (tag): Clues => ({
      tag,
      found: everything.filter((leftover) => leftover.tag === tag),
      reservation: reserved.get(tag),
      temporary: temporary.filter((state) => state.tag === tag),
      ownLock,
    }),
  );
  return Promise.all(clues.map(examine));
}

async function examine(clues: Clues): Promise<Examined> {
  const { tag, temporary } = clues;
  const { condition, stateDir } = await judge(clues);
  const folders = temporary.map(({ folder }): Leftover => ({ kind: "folder", name: folder, tag }));
  const found = [...clues.found, ...folders];
  return { tag, condition, stateDir, found, removable: removableOf(condition, found) };
}

function removableOf(condition: Condition, found: Leftover[]): Leftover[] {
  if (condition === "gone") return found;
  // its range is kept for it: routers and floating IPs in its state have addresses of it
  return condition === "dead" ? found.filter(({ kind }) => kind !== "range") : [];
}

/** Of the states that a cloud's things tell of, the one that speaks most against removing them decides. */
const weight: readonly Condition[] = ["running", "unknown", "stopped", "dead", "gone"];

async function judge(clues: Clues): Promise<{ condition: Condition; stateDir: string | undefined }> {
  const { found, reservation, temporary } = clues;
  const told = [
    ...temporary.map(({ folder }) => folder),
    ...(reservation === undefined ? [] : [dirname(reservation.record)]),
    ...found.flatMap((leftover) => leftover.stateDir ?? []),
  ];
  const states = await Promise.all(
    [...new Set(told)].map(async (stateDir) => ({ stateDir, condition: await conditionOf(stateDir, clues) })),
  );
  const [decisive] = states.toSorted((one, other) => weight.indexOf(one.condition) - weight.indexOf(other.condition));
  if (reservation?.owner !== undefined && (await isAlive(reservation.owner))) {
    return { condition: "running", stateDir: decisive?.stateDir };
  }
  return decisive ?? { condition: await conditionWithoutState(found), stateDir: undefined };
}

/** Nothing that lives is ended where nobody knows whose it is. */
async function conditionWithoutState(found: Leftover[]): Promise<Condition> {
  if (!found.some(({ kind, name }) => isOwnName(kind, name))) return "unknown";
  return (await Promise.all(found.map(isInUse))).includes(true) ? "unknown" : "gone";
}

async function isInUse({ kind, name }: Leftover): Promise<boolean> {
  if (kind === "namespace") return (await processesInNamespace(name)).length > 0;
  return kind === "process" || (kind === "cgroup" && (await holdsProcesses(name)));
}

async function conditionOf(stateDir: string, { tag, found, temporary, ownLock }: Clues): Promise<Condition> {
  const own = temporary.find(({ folder }) => folder === stateDir);
  const { database, lock } = stateFiles(stateDir);
  const isHeldByAnother = () => lock !== ownLock && isLocked(lock);
  try {
    if (own !== undefined) return (await isAlive(own.maker)) || orNo(isHeldByAnother) ? "running" : "gone";
    if (!(await pathExists(stateDir))) return "gone";
    const instance = readInstance(database);
    if (instance === undefined || instanceTag(instance) !== tag) return "unknown";
    if (isHeldByAnother()) return "running";
    return found.some(({ kind, serves }) => kind === "process" && !serves) ? "stopped" : "dead";
  } catch {
    return "unknown"; // it may not be looked at, or holds something else than a cloud's state
  }
}

/** Nobody holds what is no lock. */
function orNo(held: () => boolean): boolean {
  try {
    return held();
  } catch {
    return false;
  }
}

/** What became of a cloud's things that could go. */
export interface Removal {
  removed: Leftover[];
  left: Leftover[];
  /** Why something is left, where that is known. */
  reason?: string;
}

/**
 * Removes what can go of one cloud, as the machine is by now: nothing of one that was started since it was examined, or is there again.
 * No process can start it meanwhile.
 */
export async function removeExamined({ tag, stateDir, removable }: Examined): Promise<Removal> {
  const nothing: Removal = { removed: [], left: [] };
  if (removable.length === 0) return nothing;
  const path = stateDir === undefined ? undefined : stateFiles(stateDir).lock;
  const lock = lockIfThere(path);
  if (lock === undefined) return nothing; // it runs by now
  let now: Examined | undefined;
  let reason: string | undefined;
  try {
    now = (await examineAll(lock === noLock ? undefined : path)).find((examined) => examined.tag === tag);
    // where another state tells of it by now, the lock is of the wrong one
    if (now === undefined || now.removable.length === 0 || now.stateDir !== stateDir) return nothing;
    await removeLeftovers(tag, now.condition === "dead" ? ["range"] : []);
    for (const { kind, name } of now.removable) if (kind === "folder") await removeTree(name);
  } catch (error) {
    reason = messageOf(error); // what counts is what is left: its own process may have cleared it away at the same time
  } finally {
    lock.release();
  }
  const left = await removableNow(tag).catch((error: unknown) => {
    reason ??= messageOf(error);
    return removable; // as far as is known
  });
  const isLeft = (one: Leftover) => left.some(({ kind, name }) => kind === one.kind && name === one.name);
  const removed = (now ?? { removable }).removable.filter((one) => !isLeft(one));
  return { removed, left, ...(reason !== undefined && left.length > 0 && { reason }) };
}

const removableNow = async (tag: string) =>
  (await examineMachine()).find((examined) => examined.tag === tag)?.removable ?? [];

/** Undefined where another process has it. What is no lock, or not there, nobody can take. */
function lockIfThere(path: string | undefined): KernelLock | undefined {
  try {
    return path !== undefined && existsSync(path) ? tryLock(path) : noLock;
  } catch {
    return noLock;
  }
}

const noLock: KernelLock = { release: () => undefined };
