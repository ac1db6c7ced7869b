import { glance } from "./faults.ts";

/** The part of an image's content that a `Range` header asks for, both ends included; undefined for none. @throws ApiError 416 */
export function byteRange(header: string | undefined, size: number): { start: number; end: number } | undefined {
  if (header === undefined) return undefined;
  const [, from = "", to = ""] = /^bytes=(\d*)-(\d*)$/.exec(header.trim()) ?? [];
  if (from === "" && to === "") throw glance.range("Invalid Range header.");
  if (from === "") return { start: Math.max(0, size - Number(to)), end: size - 1 };
  const [start, end] = [Number(from), to === "" ? size - 1 : Number(to)];
  if (to !== "" && end < start) throw glance.range("Invalid Range header.");
  if (start >= size) {
    throw glance.range(
      `Invalid start position in Range header. Start position MUST be in the inclusive range [0, ${size - 1}].`,
    );
  }
  return { start, end: Math.min(end, size - 1) };
}
