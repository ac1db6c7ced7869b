import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Store } from "./store.ts";

/** Files below a cloud's state folder. */
export const stateFiles = (stateDir: string) => ({
  database: join(stateDir, "cloud.sqlite"),
  /** Locked while a process runs the cloud. */
  lock: join(stateDir, "lock.sqlite"),
  credentials: join(stateDir, "credentials.json"),
  objects: join(stateDir, "objects"),
  images: join(stateDir, "images"),
  volumes: join(stateDir, "volumes"),
  /** A folder for each guest that is real. */
  guests: join(stateDir, "guests"),
});

/**
 * The state folder that a path tells of which lies in a guest's or a load balancer's folder, as mounts, disks and processes name them; undefined
 * for other paths.
 */
export function stateDirIn(path: string): string | undefined {
  const inGuest = /^(\/.*)\/guests\/[^/]+\/(?:root|disks|nspawn\.pid|qemu\.pid)(?:\/|$)/.exec(path);
  return (inGuest ?? /^(\/.*)\/balancers\/[^/]+$/.exec(path))?.[1];
}

/** The files and folders that make up what a cloud is at a moment: what a snapshot keeps, and what a reset empties. */
export function stateParts(stateDir: string): string[] {
  const { lock: _lock, credentials: _credentials, ...parts } = stateFiles(stateDir);
  return Object.values(parts);
}

/** The cloud's instance id: short and random, made when it is first asked for; it names all that the cloud makes on the machine. */
export function instanceOf(store: Store): string {
  return store.settingOr("instance", () => randomBytes(3).toString("hex"));
}

/**
 * The instance id in a state of any version, which is left as it is; undefined where there is no state, or one that its first start was killed
 * in.
 */
export function readInstance(database: string): string | undefined {
  return readSettings(database).instance;
}

/** The settings in a state of any version, which is left as it is. */
export function readSettings(database: string): Record<string, string> {
  if (!existsSync(database)) return {};
  return readDatabase(database, (db) => {
    if (db.prepare("SELECT name FROM sqlite_master WHERE name = 'settings'").get() === undefined) return {};
    const rows = db.prepare("SELECT name, value FROM settings").all();
    return Object.fromEntries(rows.map(({ name, value }) => [String(name), String(value)]));
  });
}

/** What `work` finds in a database that is there, of any version, which is left as it is. */
export function readDatabase<T>(path: string, work: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    return work(db);
  } finally {
    db.close();
  }
}
