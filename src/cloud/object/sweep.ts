import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { isErrno } from "../../common/errors.ts";
import type { ObjectTables } from "./records.ts";

/** Deletes contents that no object has: what an upload left that ended with the cloud. */
export async function sweepContents(folder: string, tables: ObjectTables): Promise<void> {
  const known = new Set([...tables.objects.list(), ...tables.versions.list()].map((object) => object.file));
  let files: string[];
  try {
    files = await readdir(folder);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return;
    throw error;
  }
  for (const file of files.filter((name) => !known.has(name))) await rm(join(folder, file), { force: true });
}
