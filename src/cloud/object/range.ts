/** A part of a content, both ends included. */
export interface Span {
  start: number;
  end: number;
}

/** One part of a content; `all` for no range, `unsatisfiable` for one outside of it (416). */
export type ByteRange = Span | "all" | "unsatisfiable";

/** Swift's bounds of what one answer may be asked for: parts, those that overlap another, and those that do not ascend. */
const most = { parts: 50, overlaps: 2, unordered: 8 };

/** Reads a `Range` header (RFC 9110 §14.2): the parts that there are; what is malformed is answered with the whole. */
export function parseRanges(header: string | undefined, size: number): Span[] | "all" | "unsatisfiable" {
  const [, list] = /^bytes=(.+)$/i.exec((header ?? "").replaceAll(" ", "")) ?? [];
  if (list === undefined) return "all";
  const spans: Span[] = [];
  for (const text of list.split(",")) {
    const [, from = "", to = ""] = /^(\d*)-(\d*)$/.exec(text) ?? [];
    if (from === "" && to === "") return "all";
    if (from !== "" && to !== "" && Number(to) < Number(from)) return "all";
    const start = from === "" ? size - Math.min(Number(to), size) : Number(from);
    const end = from === "" || to === "" ? size - 1 : Math.min(Number(to), size - 1);
    if (start < size) spans.push({ start, end });
  }
  return spans.length === 0 || isTooMuch(spans) ? "unsatisfiable" : spans;
}

/** The same where there is room for one part only: several are answered with the whole. */
export function parseRange(header: string | undefined, size: number): ByteRange {
  const spans = parseRanges(header, size);
  if (typeof spans === "string") return spans;
  const [span, other] = spans;
  return span === undefined || other !== undefined ? "all" : span;
}

/** Parts that cost more to answer than to ask for. */
function isTooMuch(spans: Span[]): boolean {
  if (spans.length > most.parts) return true;
  const overlaps = spans.flatMap((one, index) => spans.slice(index + 1).filter((other) => overlap(one, other)));
  const ascends = spans.every(({ start }, index) => index === 0 || start >= (spans[index - 1]?.start ?? 0));
  return overlaps.length > most.overlaps || (!ascends && spans.length >= most.unordered);
}

/** As Swift sees it: two that are the same do not. */
function overlap(one: Span, other: Span): boolean {
  const [end, otherEnd] = [one.end + 1, other.end + 1];
  const within = (point: number, from: number, to: number) => from < point && point < to;
  return (
    within(other.start, one.start, end) ||
    within(otherEnd, one.start, end) ||
    within(one.start, other.start, otherEnd) ||
    within(end, other.start, otherEnd)
  );
}
