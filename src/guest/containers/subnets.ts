/** An IPv4 range: its first address as a number, and how many addresses it has. */
interface Range {
  first: number;
  size: number;
}

const SUBNET_PREFIX = 24;
const SUBNET_SIZE = 2 ** (32 - SUBNET_PREFIX);

/** Whether a text is a range that subnets with a prefix of 24 can be taken from. */
export function isSubnetPool(text: string): boolean {
  const [address = "", prefix = "", ...rest] = text.split("/");
  if (rest.length > 0 || !/^\d{1,2}$/.test(prefix) || Number(prefix) < 8 || Number(prefix) > SUBNET_PREFIX)
    return false;
  const numbers = address.split(".");
  if (numbers.length !== 4 || !numbers.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) return false;
  return address === addressOf(rangeOf(text).first);
}

/** Whether two ranges have addresses in common. */
export function overlap(one: string, other: string): boolean {
  const [a, b] = [rangeOf(one), rangeOf(other)];
  return a.first < b.first + b.size && b.first < a.first + a.size;
}

/** Whether all of a range's addresses are in another. */
export function isWithin(inner: string, outer: string): boolean {
  const [a, b] = [rangeOf(inner), rangeOf(outer)];
  return a.first >= b.first && a.first + a.size <= b.first + b.size;
}

/** The first /24 of a pool that has no address in common with any of these ranges; undefined where there is none. */
export function freeSubnet(pool: string, taken: readonly string[]): string | undefined {
  const { first, size } = rangeOf(pool);
  for (let at = first; at < first + size; at += SUBNET_SIZE) {
    const subnet = `${addressOf(at)}/${SUBNET_PREFIX}`;
    if (!taken.some((range) => overlap(range, subnet))) return subnet;
  }
  return undefined;
}

/** A subnet's address with this number, counted from its first. */
export function addressIn(subnet: string, number: number): string {
  return addressOf(rangeOf(subnet).first + number);
}

/** The ranges that a machine's routes lead to, but for the default route: out of /proc/net/route (proc(5), little-endian hexadecimal). */
export function routedRanges(table: string, except: string | undefined): string[] {
  return rowsOf(table).flatMap(({ name, destination, mask }) => {
    if (name === except || mask === 0) return [];
    return [`${addressOf(destination)}/${Math.round(32 - Math.log2(2 ** 32 - mask))}`];
  });
}

/** The interface of the default route in /proc/net/route; undefined where there is none. */
export function defaultInterface(table: string): string | undefined {
  return rowsOf(table).find(({ mask }) => mask === 0)?.name;
}

function rowsOf(table: string) {
  return table
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => {
      const [name = "", destination = "", , , , , , mask = ""] = line.trim().split(/\s+/);
      return { name, destination: littleEndian(destination), mask: littleEndian(mask) };
    });
}

function littleEndian(hex: string): number {
  return Buffer.from(hex, "hex").readUInt32LE();
}

function rangeOf(text: string): Range {
  const [address = "", prefix] = text.split("/");
  const number = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - Number(prefix ?? 32));
  return { first: number - (number % size), size };
}

function addressOf(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join(".");
}
