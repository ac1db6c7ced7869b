import type { NetworkingPlan, NetworkPlan } from "../dataplane.ts";
import { versionOf } from "../ip.ts";

/** The least that a link of IPv6 carries, in bytes: the kernel has none on a smaller one. */
export const leastIpv6Mtu = 1280;

/** The same plan without IPv6 in networks that cannot have it: what the API tells of it stays, guests have none. */
export function withoutIpv6(plan: NetworkingPlan, lacksIpv6: (network: NetworkPlan) => boolean): NetworkingPlan {
  const lacking = new Set(plan.networks.filter(lacksIpv6).map(({ id }) => id));
  const stays = (networkId: string) => (address: string) => !lacking.has(networkId) || versionOf(address) === 4;
  return {
    ...plan,
    networks: plan.networks.map((network) => ({
      ...network,
      subnets: network.subnets.filter(({ cidr }) => stays(network.id)(cidr)),
    })),
    routers: plan.routers.map((router) => ({
      ...router,
      interfaces: router.interfaces.filter(({ networkId, ip }) => stays(networkId)(ip)),
    })),
    ports: plan.ports.map((port) => ({
      ...port,
      fixedIps: port.fixedIps.filter(stays(port.networkId)),
      allowedAddresses: port.allowedAddresses.filter(({ address }) => stays(port.networkId)(address)),
    })),
  };
}
