import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";

/** What a stored stream was. */
export interface StoredContent {
  /** Bytes. */
  size: number;
  /** Hex. */
  md5: string;
  sha512: string;
}

/**
 * Writes a stream to a file that appears whole or not at all, and tells its size and digests.
 * @param limit bytes
 * @throws Error where more comes than the limit
 */
export async function storeContent(
  source: NodeJS.ReadableStream,
  path: string,
  limit = Number.POSITIVE_INFINITY,
): Promise<StoredContent> {
  await mkdir(dirname(path), { recursive: true });
  const md5 = createHash("md5");
  const sha512 = createHash("sha512");
  let size = 0;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      md5.update(chunk);
      sha512.update(chunk);
      size += chunk.length;
      if (size > limit) done(new Error(`more than ${limit} bytes came`));
      else done(null, chunk);
    },
  });
  const temporary = `${path}.part`;
  try {
    await pipeline(source, meter, createWriteStream(temporary, { mode: 0o600, flush: true }));
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  return { size, md5: md5.digest("hex"), sha512: sha512.digest("hex") };
}
