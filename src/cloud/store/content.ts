import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { IncomingMessage } from "node:http";
import { dirname } from "node:path";
import { type Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";

/** What a stored stream was. */
export interface StoredContent {
  /** Bytes. */
  size: number;
  /** Hex. */
  md5: string;
  sha512: string;
}

/** More came than the limit. */
export class TooMuchContent extends Error {
  override readonly name = "TooMuchContent";
}

/** Where a content grows until it is whole. */
export const partOf = (path: string): string => `${path}.part`;

/**
 * Writes a stream to a file that appears whole or not at all, and tells its size and digests.
 * @param limit bytes
 * @throws TooMuchContent
 */
export async function storeContent(
  source: Readable,
  path: string,
  limit = Number.POSITIVE_INFINITY,
): Promise<StoredContent> {
  await mkdir(dirname(path), { recursive: true });
  const digests = new Digests();
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      digests.update(chunk);
      if (digests.size > limit) done(new TooMuchContent(`more than ${limit} bytes came`));
      else done(null, chunk);
    },
  });
  const temporary = partOf(path);
  try {
    // a request is not ended with its upload: its sender is told why
    const parts = source.iterator({ destroyOnReturn: !(source instanceof IncomingMessage) });
    await pipeline(parts, meter, createWriteStream(temporary, { mode: 0o600, flush: true }));
    await rename(temporary, path);
  } catch (error) {
    if (source instanceof IncomingMessage) source.resume();
    await rm(temporary, { force: true });
    throw error;
  }
  return digests.content();
}

/** What a file that is there is. */
export async function digestsOf(path: string): Promise<StoredContent> {
  const digests = new Digests();
  for await (const chunk of createReadStream(path)) digests.update(chunk as Buffer);
  return digests.content();
}

class Digests {
  size = 0;
  readonly #md5 = createHash("md5");
  readonly #sha512 = createHash("sha512");

  update(chunk: Buffer): void {
    this.#md5.update(chunk);
    this.#sha512.update(chunk);
    this.size += chunk.length;
  }

  content(): StoredContent {
    return { size: this.size, md5: this.#md5.digest("hex"), sha512: this.#sha512.digest("hex") };
  }
}
