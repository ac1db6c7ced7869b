import type { NetworkingPlan } from "../../network/dataplane.ts";
import type { GuestNic } from "../hypervisor.ts";

/** A NIC of a server to which the data plane leads. */
export interface PluggedNic extends GuestNic {
  serverId: string;
}

/** The NICs that servers have by a plan; none of ports that are disabled. Pure. */
export function pluggedNics({ networks, ports }: NetworkingPlan): PluggedNic[] {
  const mtus = new Map(networks.map(({ id, mtu }) => [id, mtu]));
  return ports.flatMap(({ id: portId, networkId, mac, serverId }) => {
    const mtu = mtus.get(networkId);
    return serverId === null || mtu === undefined ? [] : { serverId, portId, networkId, mac, mtu };
  });
}
