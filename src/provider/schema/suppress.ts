import { BlockList, isIP } from "node:net";
import type { PropertyValue } from "../../engine/resource-provider.ts";

/** True where two CIDR texts name the same network: a cloud may store `10.0.0.5/24` as `10.0.0.0/24`. */
export function sameNetwork(state: PropertyValue, input: PropertyValue): boolean {
  if (typeof state !== "string" || typeof input !== "string") return false;
  const [one, other] = [cidrOf(state), cidrOf(input)];
  if (one === undefined || other === undefined || one.prefix !== other.prefix || one.family !== other.family)
    return false;
  const network = new BlockList();
  network.addSubnet(one.address, one.prefix, one.family);
  return network.check(other.address, other.family);
}

/** True where the address is in the network. */
export function isWithin(network: string, address: string): boolean {
  const [range, one] = [cidrOf(network), cidrOf(address)];
  if (range === undefined || one === undefined || range.family !== one.family) return false;
  const list = new BlockList();
  list.addSubnet(range.address, range.prefix, range.family);
  return list.check(one.address, one.family);
}

/** An address with its prefix length; a bare address is a network of one. Undefined where the text is neither. */
export function cidrOf(text: string): { address: string; prefix: number; family: "ipv4" | "ipv6" } | undefined {
  const [address = "", length, ...rest] = text.split("/");
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return undefined;
  const longest = version === 4 ? 32 : 128;
  const prefix = length === undefined ? longest : Number(length);
  if (length === "" || !Number.isInteger(prefix) || prefix < 0 || prefix > longest) return undefined;
  return { address, prefix, family: version === 4 ? "ipv4" : "ipv6" };
}

/** A check for properties that hold a CIDR. */
export function refuseUnlessCidr(value: PropertyValue): string | undefined {
  return typeof value === "string" && cidrOf(value) !== undefined
    ? undefined
    : "must be an address range like 10.0.0.0/24";
}
