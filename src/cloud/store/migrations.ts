import type { DatabaseSync } from "node:sqlite";

/** One change of how the state is laid out. */
interface Migration {
  /** What it brings, for who reads the list. */
  what: string;
  /** Runs in a transaction of its own, which also writes the new version. */
  up(db: DatabaseSync): void;
}

/**
 * All changes of the state's layout, in order: the first makes version 1, and so on. A state is brought to the last one when it is opened, and
 * says in SQLite's `user_version` where it is. States from before there were versions say 0 and are laid out as version 1.
 *
 * What was released stays as it is: a record that gets a field which its readers cannot do without gets it by a migration added here, see
 * {@link changeRecords}.
 */
export const migrations: readonly Migration[] = [
  {
    what: "records by kind, and settings of the cloud as a whole",
    up: (db) =>
      db.exec(`
        CREATE TABLE IF NOT EXISTS records (
          seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (kind, id)
        );
        CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
      `),
  },
  {
    what: "a list is read in its order, and not sorted each time",
    up: (db) => db.exec("CREATE INDEX records_in_order ON records (kind, seq)"),
  },
];
