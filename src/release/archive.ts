import { createReadStream, createWriteStream } from "node:fs";
import { stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { type Pack, pack } from "tar-stream";

/** A file of an archive: where it comes from, or what it holds. */
export interface ArchiveEntry {
  /** Path in the archive. */
  name: string;
  content: { file: string } | { bytes: Uint8Array };
  executable?: boolean;
}

/** Of Node's binary: level 1 takes half the time for 10 % more, level 9 four times the time for 2 % less. */
const GZIP_LEVEL = 5;

/** Writes a .tar.gz whose bytes depend on the entries' names and content alone: sorted, no times, no owners. */
export async function writeArchive(path: string, entries: ArchiveEntry[]): Promise<void> {
  const archive = pack();
  const written = pipeline(archive, createGzip({ level: GZIP_LEVEL }), createWriteStream(path));
  await Promise.all([written, fill(archive, entries)]);
}

async function fill(archive: Pack, entries: ArchiveEntry[]): Promise<void> {
  const sorted = entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  try {
    for (const { name, content, executable } of sorted) {
      const size = "file" in content ? (await stat(content.file)).size : content.bytes.length;
      const header = { name, size, mode: executable ? 0o755 : 0o644, mtime: new Date(0), uid: 0, gid: 0 };
      if ("bytes" in content) {
        archive.entry(header, Buffer.from(content.bytes));
      } else {
        await pipeline(createReadStream(content.file), archive.entry(header));
      }
    }
    archive.finalize();
  } catch (error) {
    archive.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
}
