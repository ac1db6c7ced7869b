import { isIPv4 } from "node:net";

/** A network of IPv4 addresses, as numbers. */
export interface Ipv4Range {
  first: number;
  last: number;
  prefix: number;
}

/** The address as a number, or undefined where the text is none. */
export function ipv4ToNumber(text: string): number | undefined {
  return isIPv4(text) ? text.split(".").reduce((sum, part) => sum * 256 + Number(part), 0) : undefined;
}

export function numberToIpv4(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}

/** `10.0.0.0/24` as a range; undefined where the text is no CIDR. Host bits are allowed and dropped. */
export function parseCidr(cidr: string): Ipv4Range | undefined {
  const [address = "", length = "", ...rest] = cidr.split("/");
  const base = ipv4ToNumber(address);
  if (base === undefined || rest.length > 0 || !/^\d{1,2}$/.test(length) || Number(length) > 32) return undefined;
  const size = 2 ** (32 - Number(length));
  const first = base - (base % size);
  return { first, last: first + size - 1, prefix: Number(length) };
}

/** The normal text of a CIDR, host bits cleared. */
export function normalizeCidr(cidr: string): string | undefined {
  const range = parseCidr(cidr);
  return range === undefined ? undefined : `${numberToIpv4(range.first)}/${range.prefix}`;
}

export function contains(range: Ipv4Range, address: string): boolean {
  const value = ipv4ToNumber(address);
  return value !== undefined && value >= range.first && value <= range.last;
}

export function overlaps(a: Ipv4Range, b: Ipv4Range): boolean {
  return a.first <= b.last && b.first <= a.last;
}

/** `255.255.255.0` for 24. */
export function netmaskOf(prefix: number): string {
  return numberToIpv4(2 ** 32 - 2 ** (32 - prefix));
}

/** The addresses that hosts may have: without the network's own and the broadcast address (a /31 and /32 have all). */
export function hostRange({ first, last, prefix }: Ipv4Range): { first: number; last: number } {
  return prefix >= 31 ? { first, last } : { first: first + 1, last: last - 1 };
}
