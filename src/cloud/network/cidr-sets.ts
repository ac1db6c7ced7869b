import { bitsOf, cidrText, type IpRange, type IpVersion, parseCidr, sizeOf } from "./ip.ts";

/** Addresses of one family from the first to the last, of any number. */
type Span = Pick<IpRange, "version" | "first" | "last">;

/** The same addresses in as few CIDRs as can be, in order: netaddr's `IPSet.compact`. */
export const compactCidrs = (cidrs: string[]): string[] => spansOf(cidrs).flatMap(cidrsOf).map(cidrText);

/** What of `all` is in none of `taken`, in as few CIDRs as can be, in order. All of one family. */
export function cidrsWithout(all: string[], taken: string[]): IpRange[] {
  const holes = spansOf(taken);
  const left: Span[] = [];
  let at = 0;
  for (const { version, first, last } of spansOf(all)) {
    let start = first;
    while (at < holes.length && (holes[at] as Span).last < first) at++;
    for (let next = at; next < holes.length && (holes[next] as Span).first <= last; next++) {
      const hole = holes[next] as Span;
      if (hole.first > start) left.push({ version, first: start, last: hole.first - 1n });
      start = hole.last + 1n;
      at = next; // the last one may reach into the next span
    }
    if (start <= last) left.push({ version, first: start, last });
  }
  return left.flatMap(cidrsOf);
}

/** Whether every address of `some` is in `all`. */
export const isWithinCidrs = (some: string[], all: string[]): boolean => cidrsWithout(some, all).length === 0;

/** Whether there is an address in both. */
export function meet(some: string[], others: string[]): boolean {
  const spans = spansOf(others);
  let at = 0;
  return spansOf(some).some(({ first, last }) => {
    while (at < spans.length && (spans[at] as Span).last < first) at++;
    return at < spans.length && (spans[at] as Span).first <= last;
  });
}

/** Without overlaps and neighbours, in order. */
function spansOf(cidrs: string[]): Span[] {
  const spans: Span[] = [];
  const ranges = cidrs.flatMap((cidr) => parseCidr(cidr) ?? []).sort((a, b) => compare(a.first, b.first));
  for (const { version, first, last } of ranges) {
    const previous = spans.at(-1);
    if (previous === undefined || first > previous.last + 1n) spans.push({ version, first, last });
    else if (last > previous.last) previous.last = last;
  }
  return spans;
}

const compare = (a: bigint, b: bigint) => (a < b ? -1 : Number(a > b));

/** The largest CIDR that begins where the span does and ends in it, and so on. */
function cidrsOf({ version, first, last }: Span): IpRange[] {
  const cidrs: IpRange[] = [];
  for (let start = first; start <= last; ) {
    const prefix = shortestAt(version, start, last);
    const end = start + sizeOf(version, prefix) - 1n;
    cidrs.push({ version, first: start, last: end, prefix });
    start = end + 1n;
  }
  return cidrs;
}

function shortestAt(version: IpVersion, start: bigint, last: bigint): number {
  let prefix = bitsOf(version);
  const fits = (size: bigint) => start % size === 0n && start + size - 1n <= last;
  while (prefix > 0 && fits(sizeOf(version, prefix - 1))) prefix--;
  return prefix;
}
