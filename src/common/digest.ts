import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";

/** Content digest in the form `sha256:<64 hex digits>`. */
export type Digest = `sha256:${string}`;

/** The digest of bytes or UTF-8 text. */
export function digestOf(content: string | Uint8Array): Digest {
  return `sha256:${createHash("sha256").update(content).digest("hex")}`;
}

/** The digest of a file, streamed. */
export async function digestOfFile(path: string): Promise<Digest> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return `sha256:${hash.digest("hex")}`;
}

/** The 64 hex digits of a digest: its name in paths and addresses. */
export function hexOf(digest: Digest): string {
  return digest.slice("sha256:".length);
}

/** A path that names a digest, short enough for people. */
export function shortPath(path: string): string {
  return path.replace(/([0-9a-f]{12})[0-9a-f]{52}/, "$1…");
}
