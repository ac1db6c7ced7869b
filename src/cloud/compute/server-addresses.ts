import { lookup } from "../../common/lookup.ts";
import type { NetworkTables } from "../network/records.ts";
import type { Server } from "./records.ts";

/** An address as Nova shows it. */
export interface ServerAddress {
  version: number;
  addr: string;
  "OS-EXT-IPS:type": "fixed" | "floating";
  "OS-EXT-IPS-MAC:mac_addr": string;
}

/** Addresses by network name; a floating IP follows the fixed address that it leads to, with the same MAC. */
export function addressesOf(server: Server, tables: NetworkTables): Record<string, ServerAddress[]> {
  const result = lookup<ServerAddress[]>(); // networks are called what their owners like
  for (const { portId } of server.nics) {
    const port = tables.ports.get(portId);
    const network = port === undefined ? undefined : tables.networks.get(port.networkId);
    if (port === undefined || network === undefined) continue;
    const entry = (addr: string, type: "fixed" | "floating"): ServerAddress => ({
      version: addr.includes(":") ? 6 : 4,
      addr,
      "OS-EXT-IPS:type": type,
      "OS-EXT-IPS-MAC:mac_addr": port.mac,
    });
    const list = result[network.name] ?? [];
    result[network.name] = list;
    for (const ip of port.fixedIps) {
      list.push(entry(ip.ipAddress, "fixed"));
      for (const floating of tables.floatingIps.list((f) => f.portId === port.id && f.fixedIp === ip.ipAddress)) {
        list.push(entry(floating.address, "floating"));
      }
    }
  }
  return result;
}

/** Without what extensions add. */
export function shortAddresses(
  addresses: Record<string, ServerAddress[]>,
): Record<string, Pick<ServerAddress, "version" | "addr">[]> {
  return lookup(
    Object.fromEntries(
      Object.entries(addresses).map(([name, list]) => [name, list.map(({ version, addr }) => ({ version, addr }))]),
    ),
  );
}
