import { DatabaseSync, type StatementSync } from "node:sqlite";
import { migrate } from "./migrate.ts";

/** Anything that a service keeps: plain JSON data with an id that is unique within its kind. */
export interface StoredRecord {
  id: string;
}

/**
 * The cloud's memory: JSON records by kind in one SQLite file. One process owns the file (see lock.ts), calls are synchronous, so
 * that a request's look, decision and write are one step that nothing can get between.
 *
 * WAL with `synchronous=NORMAL`: a killed process loses nothing; a power cut may lose the last moments, as it loses the guests and
 * the network namespaces that the records describe, and never leaves a torn file.
 */
export class Store {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  /** What the file holds, by kind and id in the order of lists; a kind is read when it is first asked for. */
  readonly #records = new Map<string, Map<string, StoredRecord>>();
  /** The kinds that the transaction under way has changed. */
  readonly #changed = new Set<string>();
  #depth = 0;

  /** @throws SlipwayError E_UNSUPPORTED for a state that a newer Slipway has written */
  constructor(path: string) {
    this.#db = new DatabaseSync(path);
    try {
      this.#db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000;");
      migrate(this.#db, path);
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  /** The records of one kind. */
  collection<T extends StoredRecord>(kind: string): Collection<T> {
    return new Collection<T>(this, kind);
  }

  /** The records of one kind by id, parsed once and frozen: a look costs no parsing. */
  recordsOf(kind: string): Map<string, StoredRecord> {
    const known = this.#records.get(kind);
    if (known !== undefined) return known;
    const rows = this.statement("SELECT body FROM records WHERE kind = ? ORDER BY seq").all(kind);
    const records = rows.map((row) => frozen(String(row.body)));
    const read = new Map(records.map((record) => [record.id, record]));
    this.#records.set(kind, read);
    return read;
  }

  put(kind: string, record: StoredRecord): void {
    const body = JSON.stringify(record);
    this.statement(
      "INSERT INTO records (kind, id, body) VALUES (?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
    ).run(kind, record.id, body);
    this.#changed.add(kind);
    this.#records.get(kind)?.set(record.id, frozen(body));
  }

  delete(kind: string, id: string): void {
    this.statement("DELETE FROM records WHERE kind = ? AND id = ?").run(kind, id);
    this.#changed.add(kind);
    this.#records.get(kind)?.delete(id);
  }

  /** A value that belongs to the cloud as a whole (its instance id, its port), or undefined. */
  setting(name: string): string | undefined {
    const row = this.statement("SELECT value FROM settings WHERE name = ?").get(name);
    return row === undefined ? undefined : String(row.value);
  }

  setSetting(name: string, value: string): void {
    this.statement("INSERT INTO settings VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value").run(
      name,
      value,
    );
  }

  /** The stored value, made and stored when there is none yet. */
  settingOr(name: string, make: () => string): string {
    const found = this.setting(name);
    if (found !== undefined) return found;
    const made = make();
    this.setSetting(name, made);
    return made;
  }

  /** Runs `work` so that all of its writes are kept, or, when it throws, none. Nested calls join the outer one. */
  transaction<T>(work: () => T): T {
    if (this.#depth > 0) return work();
    this.#db.exec("BEGIN IMMEDIATE");
    this.#depth++;
    this.#changed.clear();
    try {
      const result = work();
      this.#db.exec("COMMIT");
      return result;
    } catch (error) {
      for (const kind of this.#changed) this.#records.delete(kind);
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK"); // a full disk has ended it already
      throw error;
    } finally {
      this.#depth--;
    }
  }

  /** A prepared statement, prepared once. */
  statement(sql: string): StatementSync {
    let prepared = this.#statements.get(sql);
    if (prepared === undefined) {
      prepared = this.#db.prepare(sql);
      this.#statements.set(sql, prepared);
    }
    return prepared;
  }

  close(): void {
    this.#statements.clear();
    this.#db.close();
  }
}

function frozen(body: string): StoredRecord {
  return deepFrozen(JSON.parse(body) as StoredRecord);
}

function deepFrozen<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  for (const part of Object.values(value)) deepFrozen(part);
  return Object.freeze(value);
}

/** The records of one kind, in the order in which they were made. Who changes one that was got keeps a changed copy. */
export class Collection<T extends StoredRecord> {
  readonly #store: Store;
  readonly #kind: string;

  constructor(store: Store, kind: string) {
    this.#store = store;
    this.#kind = kind;
  }

  get(id: string): T | undefined {
    return this.#records.get(id);
  }

  list(where?: (record: T) => boolean): T[] {
    const all = [...this.#records.values()];
    return where === undefined ? all : all.filter(where);
  }

  find(where: (record: T) => boolean): T | undefined {
    for (const record of this.#records.values()) if (where(record)) return record;
    return undefined;
  }

  /** Inserts the record, or replaces the one with the same id (which keeps its place in lists). */
  put(record: T): T {
    this.#store.put(this.#kind, record);
    return record;
  }

  /** Changes some fields of a stored record; undefined when it is gone. */
  patch(id: string, change: Partial<T>): T | undefined {
    const found = this.get(id);
    return found === undefined ? undefined : this.put({ ...found, ...change });
  }

  delete(id: string): void {
    this.#store.delete(this.#kind, id);
  }

  get #records(): Map<string, T> {
    return this.#store.recordsOf(this.#kind) as Map<string, T>;
  }
}
