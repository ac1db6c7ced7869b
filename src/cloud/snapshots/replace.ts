import { mkdir, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { SlipwayError } from "../../common/errors.ts";
import { pathExists, syncFolder } from "../../common/files.ts";
import { findLeftovers, removeLeftovers } from "../leftovers.ts";
import { syncTree } from "../store/copy.ts";
import { removeBackups } from "../store/migrate.ts";
import { removeTree } from "../store/remove.ts";
import { readInstance, stateFiles, stateParts } from "../store/state.ts";

/** The state that is to be, whole. Its being there is the decision: whatever interrupts what follows, the next start ends it. */
export const incomingState = (stateDir: string) => join(stateDir, "incoming");

/**
 * Puts another state in the place of a cloud's present one, and ends what runs of that. The caller holds the state's lock.
 * @param make makes the database and the folders in the folder that it is given
 */
export async function replaceState(stateDir: string, make: (folder: string) => Promise<void>): Promise<void> {
  const part = `${incomingState(stateDir)}.part`;
  await removeTree(part);
  await mkdir(part, { mode: 0o700 });
  await make(part);
  await syncTree(part);
  await rename(part, incomingState(stateDir));
  await syncFolder(stateDir);
  await completeReplacement(stateDir);
}

/**
 * Ends a replacement that was decided; where there is none, nothing is done. The caller holds the state's lock.
 * @throws SlipwayError E_LEFTOVERS where something of the former state is still in use
 */
export async function completeReplacement(stateDir: string): Promise<void> {
  const incoming = incomingState(stateDir);
  if (!(await pathExists(incoming))) return;
  const { database } = stateFiles(stateDir);
  const instance = readInstance(database) ?? readInstance(stateFiles(incoming).database);
  if (instance !== undefined) await endGuests(instance);
  removeBackups(database);
  for (const path of stateParts(stateDir)) {
    const fresh = join(incoming, basename(path));
    if (!(await pathExists(fresh))) continue; // an earlier attempt came so far
    await removeTree(path);
    // what SQLite had not yet written to the former database is none of the new one's
    if (path === database) {
      for (const journal of ["-wal", "-shm"]) await rm(`${path}${journal}`, { force: true });
      await syncFolder(stateDir);
    }
    await rename(fresh, path);
  }
  await syncFolder(stateDir);
  await removeTree(incoming);
}

/** The cloud's range of addresses stays its own. */
async function endGuests(instance: string): Promise<void> {
  await removeLeftovers(instance, ["range"]);
  const left = (await findLeftovers(instance)).filter(({ kind }) => kind !== "range");
  if (left.length === 0) return;
  throw new SlipwayError("E_LEFTOVERS", `${left.length} things of the cloud's former state could not be removed`, {
    details: left.map(({ kind, name }) => `${kind} ${name}`),
    hint: "Run it again; what stays is in use by another process.",
  });
}
