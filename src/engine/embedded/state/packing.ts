import { promisify } from "node:util";
import { gunzip, gzip, zstdCompress, zstdDecompress } from "node:zlib";
import type { Packing } from "./switches.ts";

/** Packs a text as files with this ending hold it. */
export async function pack(text: string, packing: Packing): Promise<Uint8Array> {
  const bytes = Buffer.from(text);
  if (packing === ".gz") return promisify(gzip)(bytes);
  return packing === ".zst" ? promisify(zstdCompress)(bytes) : bytes;
}

/** The text within packed bytes. What they are is told by themselves, not by a name (as the official engine does). Throws where they are torn. */
export async function unpack(bytes: Buffer): Promise<string> {
  if (startsWith(bytes, 0x1f, 0x8b)) return (await promisify(gunzip)(bytes)).toString("utf8");
  if (startsWith(bytes, 0x28, 0xb5, 0x2f, 0xfd)) return (await promisify(zstdDecompress)(bytes)).toString("utf8");
  return bytes.toString("utf8");
}

/** The media type that Go's http.DetectContentType finds for such bytes. */
export function mediaTypeOf(packing: Packing): string {
  return { "": "text/plain; charset=utf-8", ".gz": "application/x-gzip", ".zst": "application/octet-stream" }[packing];
}

function startsWith(bytes: Buffer, ...magic: number[]): boolean {
  return magic.every((byte, index) => bytes[index] === byte);
}
