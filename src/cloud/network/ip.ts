import { isIPv4, isIPv6 } from "node:net";

export type IpVersion = 4 | 6;

/** An address as a number. */
export interface Ip {
  version: IpVersion;
  value: bigint;
}

/** A network of addresses of one family, as numbers. */
export interface IpRange {
  version: IpVersion;
  first: bigint;
  last: bigint;
  prefix: number;
}

/** Bits of an address. */
export const bitsOf = (version: IpVersion) => (version === 4 ? 32 : 128);

/** The family that the text of an address or a CIDR is of. */
export const versionOf = (text: string): IpVersion => (text.includes(":") ? 6 : 4);

/** How many addresses a network with this prefix has. */
export const sizeOf = (version: IpVersion, prefix: number) => 2n ** BigInt(bitsOf(version) - prefix);

/** The address as a number, or undefined where the text is none. */
export function parseIp(text: string): Ip | undefined {
  if (isIPv4(text)) return { version: 4, value: numberOf(text.split(".").map(Number), 8n) };
  if (!isIPv6(text) || text.includes("%")) return undefined;
  const [head = "", tail] = text.replace(/[^:]*\.[^:]*$/, hexOfIpv4).split("::");
  const words = (part: string) => (part === "" ? [] : part.split(":").map((word) => Number.parseInt(word, 16)));
  const [before, after] = [words(head), words(tail ?? "")];
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => 0);
  return { version: 6, value: numberOf([...before, ...zeros, ...after], 16n) };
}

/** The last 32 bits of an IPv6 address may be written as an IPv4 one. */
function hexOfIpv4(text: string): string {
  const value = parseIp(text)?.value ?? 0n;
  return `${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`;
}

const numberOf = (parts: number[], bits: bigint) => parts.reduce((sum, part) => (sum << bits) + BigInt(part), 0n);

/** The address's normal text (RFC 5952). */
export function ipText({ version, value }: Ip): string {
  const parts = (count: number, bits: bigint) =>
    Array.from({ length: count }, (_, at) => (value >> (bits * BigInt(count - 1 - at))) & (2n ** bits - 1n));
  if (version === 4) return parts(4, 8n).join(".");
  const words = parts(8, 16n).map((word) => word.toString(16));
  const [longest = ""] = [...words.join(":").matchAll(/(?<![^:])0(:0)+(?![^:])/g)]
    .map(([run]) => run)
    .sort((a, b) => b.length - a.length);
  if (longest === "") return words.join(":");
  return words.join(":").replace(new RegExp(`(^|:)${longest}(:|$)`), "::");
}

/** The address in its normal text; what is none stays as it is. */
export function normalizeIp(text: string): string {
  const ip = parseIp(text);
  return ip === undefined ? text : ipText(ip);
}

/** `10.0.0.0/24` as a range; undefined where the text is no CIDR. Host bits are allowed and dropped. */
export function parseCidr(cidr: string): IpRange | undefined {
  const [address = "", length = "", ...rest] = cidr.split("/");
  const ip = parseIp(address);
  if (ip === undefined || rest.length > 0 || !/^\d{1,3}$/.test(length)) return undefined;
  const prefix = Number(length);
  return prefix > bitsOf(ip.version) ? undefined : rangeAt(ip, prefix);
}

/** The range of a CIDR that was read before. @throws TypeError where it is none */
export function knownRange(cidr: string): IpRange {
  const range = parseCidr(cidr);
  if (range === undefined) throw new TypeError(`not a CIDR: ${cidr}`);
  return range;
}

/** The network of this length that an address lies in. */
function rangeAt({ version, value }: Ip, prefix: number): IpRange {
  const size = sizeOf(version, prefix);
  const first = value - (value % size);
  return { version, first, last: first + size - 1n, prefix };
}

export const cidrText = ({ version, first, prefix }: Pick<IpRange, "version" | "first" | "prefix">) =>
  `${ipText({ version, value: first })}/${prefix}`;

/** The normal text of a CIDR, host bits cleared. */
export function normalizeCidr(cidr: string): string | undefined {
  const range = parseCidr(cidr);
  return range === undefined ? undefined : cidrText(range);
}

export function contains(range: IpRange, address: string): boolean {
  const ip = parseIp(address);
  return ip !== undefined && ip.version === range.version && ip.value >= range.first && ip.value <= range.last;
}

export function overlaps(a: IpRange, b: IpRange): boolean {
  return a.version === b.version && a.first <= b.last && b.first <= a.last;
}

/** A subnet's gateway where it lies in it; one outside is known to nobody here, and guests have to find it for themselves. */
export function gatewayInside({ cidr, gatewayIp }: { cidr: string; gatewayIp: string | null }): string | null {
  return gatewayIp !== null && contains(knownRange(cidr), gatewayIp) ? gatewayIp : null;
}

/** `255.255.255.0` for 24, `ffff:ffff:ffff:ffff::` for 64. */
export function netmaskOf({ version, prefix }: Pick<IpRange, "version" | "prefix">): string {
  return ipText({ version, value: 2n ** BigInt(bitsOf(version)) - sizeOf(version, prefix) });
}

/**
 * The addresses that hosts may have: without the network's own, and in IPv4 without the broadcast address. A /31 and /32, and a /128, have
 * all.
 */
export function hostRange({ version, first, last, prefix }: IpRange): { first: bigint; last: bigint } {
  if (version === 6) return { first: prefix === 128 ? first : first + 1n, last };
  return prefix >= 31 ? { first, last } : { first: first + 1n, last: last - 1n };
}

/** The address that a host gives itself in a /64, made of its MAC address (modified EUI-64, RFC 4291). */
export function eui64Address(prefix: IpRange, mac: string): string {
  const digits = BigInt(`0x${mac.replace(/[:-]/g, "")}`);
  const [vendor, device] = [digits >> 24n, digits & 0xffffffn];
  const host = ((vendor << 40n) | (0xfffen << 24n) | device) ^ (1n << 57n);
  return ipText({ version: 6, value: prefix.first + host });
}

/** Whether an address is made as {@link eui64Address} makes them. */
export function isEui64(address: string): boolean {
  const ip = parseIp(address);
  return ip?.version === 6 && ((ip.value >> 24n) & 0xffffn) === 0xfffen;
}

const linkLocal = rangeAt({ version: 6, value: 0xfe80n << 112n }, 10);
const multicast = rangeAt({ version: 6, value: 0xffn << 120n }, 8);

/** Whether a router may have this address: in IPv6 not the unspecified, loopback, link-local and multicast ones. */
export const isRoutersOwn = (address: string) =>
  !["::", "::1"].includes(normalizeIp(address)) && !contains(linkLocal, address) && !contains(multicast, address);

/** The link-local address that a host with this MAC address gives itself. */
export const linkLocalAddress = (mac: string) => eui64Address(rangeAt({ version: 6, value: 0xfe80n << 112n }, 64), mac);
