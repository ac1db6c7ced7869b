import type { PropertyMap } from "../../engine/resource-provider.ts";
import type { Server, ServerAddress } from "../../openstack/compute/servers.ts";
import { orMissing } from "../../openstack/missing.ts";
import { findPort } from "../../openstack/network/ports.ts";
import type { Session } from "../../openstack/session.ts";
import { type NetworkRecord, networkNamed } from "../networking/lookup.ts";
import { isMap, textOf } from "../schema/values.ts";

/** An entry of `networks` with what the cloud knows of it. */
interface Resolved {
  networkId: string;
  networkName: string;
  portId: string;
  mac: string | undefined;
}

/** The entries of a server's `networks` as Nova's create call takes them. */
export async function networksBody(session: Session, entries: PropertyMap[]): Promise<object[]> {
  const resolved = await Promise.all(entries.map((entry) => resolve(session, entry)));
  return resolved.map((one, index) => {
    const fixedIp = textOf(entries[index] ?? {}, "fixedIpV4");
    return {
      uuid: one.networkId,
      ...(one.portId === "" ? {} : { port: one.portId }),
      ...(fixedIp === undefined ? {} : { fixed_ip: fixedIp }),
    };
  });
}

/**
 * The state of `networks`: one object for each entry in its order, or one for each interface where the program names none. An
 * entry with a port is found by the port's MAC address, so that two networks of one name, or a renamed one, do no harm.
 */
export async function networksState(session: Session, server: Server, entries: PropertyMap[]): Promise<PropertyMap[]> {
  if (entries.length === 0)
    return interfacesOf(server).map((one) => stateOf(one.addresses, one.network, "", "", false));
  const used = new Set<string>();
  const states: PropertyMap[] = [];
  for (const entry of entries) {
    const known = await resolve(session, entry);
    const found = interfacesOf(server).find(({ mac, network }) =>
      known.mac === undefined ? network === known.networkName && !used.has(mac) : mac === known.mac,
    );
    if (found !== undefined) used.add(found.mac);
    states.push(
      stateOf(
        found?.addresses ?? [],
        known.networkName,
        known.networkId,
        known.portId,
        entry.accessNetwork === true,
        found?.mac ?? known.mac,
      ),
    );
  }
  return states;
}

/** The access addresses: of the entry that is marked, else of the first that has one, else what the server says. */
export function accessAddresses(server: Server, networks: PropertyMap[]): { accessIpV4: string; accessIpV6: string } {
  const marked = networks.find((one) => one.accessNetwork === true);
  const pick = (name: string) => textOf(marked ?? networks.find((one) => textOf(one, name)) ?? {}, name);
  return {
    accessIpV4: pick("fixedIpV4") ?? server.accessIPv4 ?? "",
    accessIpV6: pick("fixedIpV6") ?? server.accessIPv6 ?? "",
  };
}

interface Interface {
  network: string;
  mac: string;
  addresses: ServerAddress[];
}

function interfacesOf(server: Server): Interface[] {
  const interfaces: Interface[] = [];
  for (const [network, addresses] of Object.entries(server.addresses)) {
    for (const address of addresses) {
      const mac = address["OS-EXT-IPS-MAC:mac_addr"] ?? "";
      const known = interfaces.find((one) => one.mac === mac && one.network === network);
      if (known === undefined) interfaces.push({ network, mac, addresses: [address] });
      else known.addresses.push(address);
    }
  }
  return interfaces;
}

function stateOf(
  addresses: ServerAddress[],
  name: string,
  uuid: string,
  port: string,
  accessNetwork: boolean,
  mac = addresses[0]?.["OS-EXT-IPS-MAC:mac_addr"] ?? "",
): PropertyMap {
  const fixed = (version: number) =>
    addresses.find((one) => one.version === version && one["OS-EXT-IPS:type"] !== "floating")?.addr;
  const ipV6 = fixed(6);
  return {
    accessNetwork,
    fixedIpV4: fixed(4) ?? "",
    fixedIpV6: ipV6 === undefined ? "" : `[${ipV6}]`,
    floatingIp: "",
    mac,
    name,
    port,
    uuid,
  };
}

async function resolve(session: Session, entry: PropertyMap): Promise<Resolved> {
  const portId = textOf(entry, "port");
  if (portId === undefined) {
    const network = await networkOf(session, entry);
    return { networkId: network.id, networkName: network.name, portId: "", mac: undefined };
  }
  const port = await findPort(session, portId);
  if (port === undefined) return { networkId: textOf(entry, "uuid") ?? "", networkName: "", portId, mac: undefined };
  const network = await networkOf(session, { uuid: port.network_id });
  return { networkId: network.id, networkName: network.name, portId, mac: port.mac_address };
}

async function networkOf(session: Session, entry: PropertyMap): Promise<NetworkRecord> {
  const uuid = textOf(entry, "uuid");
  if (uuid === undefined) return networkNamed(session, textOf(entry, "name") ?? "");
  const shown = await orMissing(() =>
    session.request<{ network: NetworkRecord }>("network", "GET", `/networks/${uuid}`),
  );
  return shown?.body.network ?? { id: uuid, name: textOf(entry, "name") ?? "" };
}

/** The `networks` input as objects. */
export function networkEntries(inputs: PropertyMap): PropertyMap[] {
  return Array.isArray(inputs.networks) ? inputs.networks.filter(isMap) : [];
}
