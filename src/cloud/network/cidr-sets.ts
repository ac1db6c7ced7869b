import { type Ipv4Range, numberToIpv4, parseCidr } from "./ipv4.ts";

/** Addresses from the first to the last, of any number. */
type Span = Pick<Ipv4Range, "first" | "last">;

/** The same addresses in as few CIDRs as can be, in order: netaddr's `IPSet.compact`. */
export const compactCidrs = (cidrs: string[]): string[] => spansOf(cidrs).flatMap(cidrsOf).map(cidrText);

/** What of `all` is in none of `taken`, in as few CIDRs as can be, in order. */
export function cidrsWithout(all: string[], taken: string[]): Ipv4Range[] {
  const holes = spansOf(taken);
  const left: Span[] = [];
  let at = 0;
  for (const { first, last } of spansOf(all)) {
    let start = first;
    while (at < holes.length && (holes[at] as Span).last < first) at++;
    for (let next = at; next < holes.length && (holes[next] as Span).first <= last; next++) {
      const hole = holes[next] as Span;
      if (hole.first > start) left.push({ first: start, last: hole.first - 1 });
      start = hole.last + 1;
      at = next; // the last one may reach into the next span
    }
    if (start <= last) left.push({ first: start, last });
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

export const cidrText = ({ first, prefix }: Pick<Ipv4Range, "first" | "prefix">) => `${numberToIpv4(first)}/${prefix}`;

/** Without overlaps and neighbours, in order. */
function spansOf(cidrs: string[]): Span[] {
  const spans: Span[] = [];
  for (const { first, last } of cidrs.flatMap((cidr) => parseCidr(cidr) ?? []).sort((a, b) => a.first - b.first)) {
    const previous = spans.at(-1);
    if (previous !== undefined && first <= previous.last + 1) previous.last = Math.max(previous.last, last);
    else spans.push({ first, last });
  }
  return spans;
}

/** The largest CIDR that begins where the span does and ends in it, and so on. */
function cidrsOf({ first, last }: Span): Ipv4Range[] {
  const cidrs: Ipv4Range[] = [];
  for (let start = first; start <= last; ) {
    let prefix = 32;
    const sizeOf = (length: number) => 2 ** (32 - length);
    while (prefix > 0 && start % sizeOf(prefix - 1) === 0 && start + sizeOf(prefix - 1) - 1 <= last) prefix--;
    const end = start + sizeOf(prefix) - 1;
    cidrs.push({ first: start, last: end, prefix });
    start = end + 1;
  }
  return cidrs;
}
