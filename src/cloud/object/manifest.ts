import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { type ObjectTables, objectsOf } from "./records.ts";

/** A large object: the contents of others, one after another. */
interface Joined {
  /** Bytes. */
  size: number;
  /** Swift's: the MD5 of its parts' ETags. */
  etag: string;
  read(): Readable;
}

/** What a manifest `container/prefix` stands for at this moment. */
export function joined(tables: ObjectTables, projectId: string, manifest: string, folder: string): Joined {
  const [name = "", ...rest] = decodeURIComponent(manifest).split("/");
  const container = tables.containers.get(`${projectId}/${name}`);
  const prefix = rest.join("/");
  const parts =
    container === undefined ? [] : objectsOf(tables, container).filter((one) => one.name.startsWith(prefix));
  const files = parts.map(({ file }) => join(folder, file));
  async function* contents() {
    for (const file of files) yield* createReadStream(file);
  }
  return {
    size: parts.reduce((sum, { size }) => sum + size, 0),
    etag: createHash("md5")
      .update(parts.map(({ etag }) => etag).join(""))
      .digest("hex"),
    read: () => Readable.from(contents()),
  };
}
