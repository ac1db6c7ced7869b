/** An IPv4 range as two numbers, both inclusive. */
export interface Range {
  first: number;
  last: number;
}

/** The number of an IPv4 address, or undefined for other text. */
export function ipv4Number(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  const octets = match.slice(1).map(Number);
  if (octets.some((octet) => octet > 255)) return undefined;
  return octets.reduce((number, octet) => number * 256 + octet, 0);
}

export function ipv4Text(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join(".");
}

/** The range of `a.b.c.d/len`, of a bare address, or undefined for text that is neither. */
export function rangeOf(cidr: string): Range | undefined {
  const [address, length = "32", ...rest] = cidr.split("/");
  const number = ipv4Number(address ?? "");
  const bits = /^\d{1,2}$/.test(length) ? Number(length) : Number.NaN;
  if (number === undefined || rest.length > 0 || !(bits >= 0 && bits <= 32)) return undefined;
  const size = 2 ** (32 - bits);
  const first = Math.floor(number / size) * size;
  return { first, last: first + size - 1 };
}

export function overlaps(a: Range, b: Range): boolean {
  return a.first <= b.last && b.first <= a.last;
}

/** Whether an address lies in a range. */
export function isWithin(address: string, cidr: string): boolean {
  const [one, range] = [rangeOf(address), rangeOf(cidr)];
  return one !== undefined && range !== undefined && overlaps(one, range);
}

/** Prefix length of a CIDR: 24 of `10.0.0.0/24`. */
export function prefixLength(cidr: string): number {
  return Number(cidr.split("/")[1] ?? 32);
}

/** The first usable address of a CIDR. */
export function firstHostOf(cidr: string): string {
  const range = rangeOf(cidr);
  if (range === undefined) throw new TypeError(`not an IPv4 range: ${cidr}`);
  return ipv4Text(range.first + 1);
}
