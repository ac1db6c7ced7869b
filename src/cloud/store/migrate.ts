import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { SlipwayError } from "../../common/errors.ts";
import { migrations } from "./migrations.ts";

/** The copy that is made of a state before it is changed to `version`. */
export const backupOf = (path: string, version: number) => `${path}.before-${version}`;

/** Removes the copies of a state that another one takes the place of. */
export function removeBackups(path: string): void {
  for (const name of readdirSync(dirname(path))) {
    if (name.startsWith(`${basename(path)}.before-`)) rmSync(join(dirname(path), name), { force: true });
  }
}

/**
 * Brings a state to the layout of this Slipway, step by step, each in one transaction: killed at any moment, it is at one step or the next.
 * A state that holds something is copied whole before the first step (see {@link backupOf}).
 * @throws SlipwayError E_UNSUPPORTED for a state that a newer Slipway has written
 */
export function migrate(db: DatabaseSync, path: string, steps = migrations): void {
  const found = Number(db.prepare("PRAGMA user_version").get()?.user_version);
  if (found > steps.length) {
    throw new SlipwayError(
      "E_UNSUPPORTED",
      `the cloud's state was written by a newer Slipway: its layout is ${found}, this one knows up to ${steps.length}`,
      { hint: "Use that Slipway, or begin anew with `slipway cloud destroy --yes`." },
    );
  }
  if (found === steps.length) return;
  const isEmpty = db.prepare("SELECT name FROM sqlite_master").get() === undefined;
  if (!isEmpty) keepCopy(db, backupOf(path, found + 1));
  for (const [index, { up }] of steps.entries()) if (index >= found) step(db, index + 1, up);
}

function step(db: DatabaseSync, version: number, up: (db: DatabaseSync) => void): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    up(db);
    db.exec(`PRAGMA user_version = ${version}`);
    db.exec("COMMIT");
  } catch (error) {
    db.exec("ROLLBACK");
    throw error;
  }
}

/** A copy is there whole or not at all. One of an earlier attempt is of the same state: it stays. */
function keepCopy(db: DatabaseSync, copy: string): void {
  if (existsSync(copy)) return;
  const part = `${copy}.part`;
  rmSync(part, { force: true });
  db.prepare("VACUUM INTO ?").run(part);
  renameSync(part, copy);
}
