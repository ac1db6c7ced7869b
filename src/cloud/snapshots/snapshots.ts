import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import { messageOf, SlipwayError } from "../../common/errors.ts";
import { namesIn, pathExists, readTextIfExists, syncFolder, writeFileAtomic } from "../../common/files.ts";
import { tryLock } from "../../common/kernel-lock.ts";
import { run } from "../../common/process.ts";
import { whileFrozen } from "../hypervisors/nspawn/freeze.ts";
import { passingGuestFiles } from "../hypervisors/nspawn/guest-folder.ts";
import { passingFiles } from "../hypervisors/qemu/guest-files.ts";
import { whileGuestsHeld } from "../hypervisors/qemu/held.ts";
import { copyAsIs, syncTree } from "../store/copy.ts";
import { removeTree } from "../store/remove.ts";
import { readDatabase, readInstance, stateFiles, stateParts } from "../store/state.ts";
import { replaceState } from "./replace.ts";

/** What a snapshot tells of itself. */
export interface Snapshot {
  name: string;
  /** RFC 3339. */
  madeAt: string;
  /** How many servers the cloud had. */
  servers: number;
  /** What it takes on disk, bytes. */
  bytes: number;
}

const description = z.object({
  name: z.string(),
  madeAt: z.string(),
  servers: z.number().int().nonnegative(),
  bytes: z.number().int().nonnegative(),
});

const folderOf = (stateDir: string) => join(stateDir, "snapshots");
const filesOf = (stateDir: string, name: string) => {
  const folder = join(folderOf(stateDir), name);
  return { folder, state: join(folder, "state"), description: join(folder, "snapshot.json") };
};

/** One that is being made. */
const partOf = (stateDir: string) => join(folderOf(stateDir), ".part");

/** The snapshots of a cloud, the oldest first. */
export async function listSnapshots(stateDir: string): Promise<Snapshot[]> {
  const found: Snapshot[] = [];
  for (const name of await namesIn(folderOf(stateDir))) {
    if (name === basename(partOf(stateDir))) continue;
    const text = await readTextIfExists(filesOf(stateDir, name).description);
    if (text !== undefined) found.push(description.parse(JSON.parse(text)));
  }
  return found.toSorted((one, other) => one.madeAt.localeCompare(other.madeAt));
}

/** @throws SlipwayError E_USAGE for what cannot name a snapshot, or names one already */
export async function demandNewName(stateDir: string, name: string): Promise<void> {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) {
    throw new SlipwayError("E_USAGE", `${JSON.stringify(name)} cannot name a snapshot`, {
      hint: "Use up to 64 letters, digits, dots, dashes and underscores, a letter or digit first.",
    });
  }
  if (!(await pathExists(filesOf(stateDir, name).description))) return;
  throw new SlipwayError("E_USAGE", `there is a snapshot ${name} already`, {
    hint: `Choose another name, or remove it with \`slipway cloud snapshot ${name} --delete\`.`,
  });
}

/** @throws SlipwayError E_USAGE where there is none of that name */
export async function demandSnapshot(stateDir: string, name: string): Promise<Snapshot> {
  const snapshots = await listSnapshots(stateDir);
  const found = snapshots.find((snapshot) => snapshot.name === name);
  if (found !== undefined) return found;
  const names = snapshots.map((snapshot) => snapshot.name).join(", ");
  throw new SlipwayError("E_USAGE", `there is no snapshot ${name}`, {
    hint: names === "" ? "Make one with `slipway cloud snapshot NAME`." : `Choose one of ${names}.`,
  });
}

/** Runs `work` while no other process makes, reads or removes a cloud's snapshots. A cloud that runs does not stand in the way. */
async function alone<T>(stateDir: string, work: () => Promise<T>): Promise<T> {
  const lock = tryLock(join(stateDir, "snapshots-lock.sqlite"));
  if (lock === undefined) {
    throw new SlipwayError("E_LOCKED", "another process is at work on the snapshots of this cloud", {
      hint: "Run it again when that has ended.",
    });
  }
  try {
    return await work();
  } finally {
    lock.release();
  }
}

/**
 * Keeps the state of a cloud that does not run: records, contents, and the disks of its guests, which stand still meanwhile. It is there
 * whole or not at all. The caller holds the state's lock.
 * @throws SlipwayError E_USAGE where there is no state yet, and as {@link demandNewName}; E_LOCKED while another process is at work on
 * snapshots; E_STATE_UNWRITABLE where the disk is full
 */
export function takeSnapshot(stateDir: string, name: string): Promise<Snapshot> {
  return alone(stateDir, () => takeAlone(stateDir, name));
}

async function takeAlone(stateDir: string, name: string): Promise<Snapshot> {
  await demandNewName(stateDir, name);
  const instance = readInstance(stateFiles(stateDir).database);
  if (instance === undefined) {
    throw new SlipwayError("E_USAGE", "there is no embedded cloud yet", { hint: "Run `slipway cloud start`." });
  }
  const { folder } = filesOf(stateDir, name);
  const part = partOf(stateDir);
  await removeTree(part); // of one that was killed
  await mkdir(join(part, "state"), { recursive: true, mode: 0o700 });
  try {
    await whileStandingStill(stateDir, instance, () => copyState(stateDir, join(part, "state")));
    const { stdout } = await run("du", ["-sk", part]);
    const snapshot: Snapshot = {
      ...{ name, madeAt: new Date().toISOString() },
      ...{ servers: countServers(stateFiles(join(part, "state")).database), bytes: Number.parseInt(stdout, 10) * 1024 },
    };
    await writeFileAtomic(join(part, "snapshot.json"), `${JSON.stringify(snapshot, null, 2)}\n`);
    await syncTree(part);
    await removeTree(folder); // of one whose removal was killed
    await rename(part, folder);
    await syncFolder(folderOf(stateDir));
    return snapshot;
  } catch (error) {
    await removeTree(part);
    throw ofFullDisk(error);
  }
}

/**
 * Brings a cloud that does not run back to a snapshot, which stays; guests that run are ended, and those that ran then boot at the next start. The
 * caller holds the state's lock.
 * @throws SlipwayError as {@link demandSnapshot}; E_LOCKED while another process is at work on snapshots; E_LEFTOVERS; E_STATE_UNWRITABLE where
 * the disk is full: then the cloud is as it was
 */
export function restoreSnapshot(stateDir: string, name: string): Promise<void> {
  return alone(stateDir, async () => {
    await demandSnapshot(stateDir, name);
    const { state } = filesOf(stateDir, name);
    await replaceState(stateDir, (folder) => copyState(state, folder)).catch((error: unknown) => {
      throw ofFullDisk(error);
    });
  });
}

/** @throws SlipwayError as {@link demandSnapshot}; E_LOCKED while another process is at work on snapshots */
export function deleteSnapshot(stateDir: string, name: string): Promise<void> {
  return alone(stateDir, async () => {
    await demandSnapshot(stateDir, name);
    const { folder, description } = filesOf(stateDir, name);
    // its description first: what is left of it by a kill is no snapshot any more
    await rm(description);
    await removeTree(folder);
  });
}

/** Runs `work` while no guest of a cloud of either kind writes. */
const whileStandingStill = <T>(stateDir: string, instance: string, work: () => Promise<T>) =>
  whileFrozen(instance, () => whileGuestsHeld(stateDir, instance, work));

/** Every part is there in the copy: an empty folder for one that the cloud did not have. */
async function copyState(from: string, to: string): Promise<void> {
  const { database, guests } = stateFiles(from);
  for (const path of stateParts(from)) {
    const copy = join(to, basename(path));
    if (path === database) copyDatabase(path, copy);
    else if (path === guests) await copyGuests(path, copy);
    else if (await pathExists(path)) await copyAsIs(path, copy);
    else await mkdir(copy, { mode: 0o700 });
  }
}

/** With all that SQLite keeps beside the file, which is whole in it afterwards. */
function copyDatabase(from: string, to: string): void {
  readDatabase(from, (db) => db.prepare("VACUUM INTO ?").run(to));
}

/** What is only there while a guest runs is left out: it is made anew when the guest boots. */
async function copyGuests(from: string, to: string): Promise<void> {
  await mkdir(to, { mode: 0o700 });
  for (const id of await namesIn(from)) {
    await mkdir(join(to, id), { mode: 0o700 });
    const passing = [...passingGuestFiles(join(from, id)), ...passingFiles(join(from, id))];
    for (const name of await readdir(join(from, id))) {
      const path = join(from, id, name);
      if (!passing.includes(path)) await copyAsIs(path, join(to, id, name));
    }
  }
}

function countServers(database: string): number {
  const sql = "SELECT count(*) AS count FROM records WHERE kind = 'server'";
  return readDatabase(database, (db) => Number(db.prepare(sql).get()?.count));
}

function ofFullDisk(error: unknown): unknown {
  if (!/No space left on device|ENOSPC|disk is full/.test(messageOf(error))) return error;
  return new SlipwayError("E_STATE_UNWRITABLE", "the disk has no room for another copy of the cloud's state", {
    hint: "Make room, or remove a snapshot with `slipway cloud snapshot NAME --delete`.",
    cause: error,
  });
}
