import { neutron } from "./errors.ts";
import { cidrText, type IpRange } from "./ip.ts";
import type { Ipv6Mode, Subnet } from "./records.ts";

/** What `ipv6_address_mode` and `ipv6_ra_mode` may be. */
export const ipv6Modes = ["dhcpv6-stateful", "dhcpv6-stateless", "slaac"] as const satisfies Ipv6Mode[];

/** Whether hosts give themselves their addresses, of the prefix and their MAC address. */
export function isAutoAddressed({
  ipv6AddressMode,
  ipv6RaMode,
}: Pick<Subnet, "ipv6AddressMode" | "ipv6RaMode">): boolean {
  return [ipv6AddressMode, ipv6RaMode].some((mode) => mode === "slaac" || mode === "dhcpv6-stateless");
}

/** The modes of a subnet as they are asked for. */
export interface AskedModes {
  ipv6_ra_mode?: Ipv6Mode | undefined;
  ipv6_address_mode?: Ipv6Mode | undefined;
}

/** Refuses modes that a new IPv6 subnet cannot have. @throws ApiError 400 */
export function demandModes(
  { ipv6_ra_mode: ra, ipv6_address_mode: address }: AskedModes,
  range: IpRange,
  dhcp: boolean,
): void {
  if (ra === undefined && address === undefined) return;
  if (!dhcp) {
    throw neutron.invalidInput("ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False");
  }
  if (ra !== undefined && address !== undefined && ra !== address) {
    throw neutron.invalidInput(
      `ipv6_ra_mode set to '${ra}' with ipv6_address_mode set to '${address}' is not valid. If both attributes are set, they must be the same value`,
    );
  }
  if (isAutoAddressed({ ipv6AddressMode: address, ipv6RaMode: ra }) && range.prefix !== 64) {
    throw neutron.invalidInput(
      `Invalid CIDR ${cidrText(range)} for IPv6 address mode. OpenStack uses the EUI-64 address format, which requires the prefix to be /64`,
    );
  }
}

/** Hosts of a subnet with modes rely on its DHCP. @throws ApiError 400 */
export function demandDhcpKept({ ipv6AddressMode, ipv6RaMode }: Subnet, dhcp: boolean | undefined): void {
  if (dhcp === false && (ipv6AddressMode ?? ipv6RaMode)) {
    throw neutron.invalidInput("Cannot disable enable_dhcp with ipv6 attributes set");
  }
}
