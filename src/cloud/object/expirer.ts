import { rm } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../common/errors.ts";
import { after, now } from "../clock/clock.ts";
import { longestMoveMs } from "../clock/time-control.ts";
import type { Store } from "../store/store.ts";
import { isExpired, type ObjectTables } from "./records.ts";
import { keepVersion } from "./versions.ts";

/** When it is tried again where the state could not be written (a full disk), milliseconds. */
const againMs = 60_000;

interface ExpirerParts {
  store: Store;
  tables: ObjectTables;
  /** Folder of the contents. */
  folder: string;
  log: (line: string) => void;
}

/** Removes objects, and their contents, at the second that `X-Delete-At` names: Swift's expirer. */
export class Expirer {
  readonly #parts: ExpirerParts;
  /** Seconds since 1970. */
  #next = Number.POSITIVE_INFINITY;
  #forget = () => {};

  constructor(parts: ExpirerParts) {
    this.#parts = parts;
  }

  /**
   * There is an object that ends then, seconds since 1970; null for one without an end. What no clock is moved to at once is not waited for:
   * each start looks anew.
   */
  expect(deleteAt: number | null | undefined): void {
    if (typeof deleteAt !== "number" || deleteAt >= this.#next || deleteAt * 1000 - now() > longestMoveMs) return;
    this.#wake(deleteAt);
  }

  /** Removes what is to be gone by now, also what ended while the cloud was not there, and waits for what ends next. */
  run(): void {
    const { store, tables, log } = this.#parts;
    this.#next = Number.POSITIVE_INFINITY;
    try {
      const files = store.transaction(() => removeExpired(tables));
      this.#forgetContents(files);
      for (const { deleteAt } of [...tables.objects.list(), ...tables.versions.list()]) this.expect(deleteAt);
    } catch (error) {
      log(`objects that ended could not be removed: ${messageOf(error)}`);
      this.#wake((now() + againMs) / 1000);
    }
  }

  #wake(at: number): void {
    this.#forget();
    this.#next = at;
    this.#forget = after(at * 1000 - now(), () => this.run());
  }

  #forgetContents(files: string[]): void {
    const { folder, log } = this.#parts;
    for (const file of files) {
      rm(join(folder, file), { force: true }).catch((error: unknown) =>
        log(`the content ${file} of an object that ended could not be removed: ${messageOf(error)}`),
      );
    }
  }
}

/** An object that is a version stays one. @returns the contents that nobody has any more */
function removeExpired(tables: ObjectTables): string[] {
  const left: string[] = [];
  for (const object of tables.objects.list(isExpired)) {
    tables.objects.delete(object.id);
    if (object.versionId === undefined) left.push(object.file);
    else keepVersion(tables, object);
  }
  for (const { id, file } of tables.versions.list(isExpired)) {
    tables.versions.delete(id);
    if (file !== null) left.push(file);
  }
  return left;
}
