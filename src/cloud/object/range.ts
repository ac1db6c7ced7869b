/** A part of a content, both ends included; `all` for no range, `unsatisfiable` for one outside of it (416). */
export type ByteRange = { start: number; end: number } | "all" | "unsatisfiable";

/** Reads a `Range` header of one part (RFC 9110 §14.2); several parts, and what is malformed, are answered with the whole. */
export function parseRange(header: string | undefined, size: number): ByteRange {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (match === null) return "all";
  const [, from = "", to = ""] = match;
  if (from === "" && to === "") return "all";
  if (from === "") {
    const length = Math.min(Number(to), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size - 1 };
  }
  const start = Number(from);
  const end = to === "" ? size - 1 : Math.min(Number(to), size - 1);
  if (to !== "" && Number(to) < start) return "all";
  return start >= size ? "unsatisfiable" : { start, end };
}
