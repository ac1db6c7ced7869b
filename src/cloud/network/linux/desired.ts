import type { NetworkingPlan, NetworkPlan, PortPlan, RouterPlan } from "../dataplane.ts";
import { ipv4Number, isWithin, prefixLength } from "./addresses.ts";
import {
  externalNamespace,
  guestNamespace,
  hostLink,
  links,
  metadataAddress,
  networkNamespace,
  routerNamespace,
} from "./names.ts";
import { networkRuleset, pluggedPorts } from "./network-ruleset.ts";
import { type Egress, routerRuleset } from "./router-ruleset.ts";

/** A veth pair; it is made from the namespace that owns it, the other end appears in `peer.namespace` (null = the machine itself). */
export interface VethPlan {
  name: string;
  mtu: number;
  /** Bridge of the owning namespace that the link is a port of. */
  master?: string;
  peer: { namespace: string | null; name: string; mac?: string };
}

/** What one network namespace shall hold. */
export interface NamespacePlan {
  name: string;
  bridge?: string;
  veths: VethPlan[];
  /** Addresses with prefix length by link; links that are missing here keep what they have. */
  addresses: Record<string, string[]>;
  /** Arguments of `ip route replace`. */
  routes: string[];
  sysctls: Record<string, string>;
  /** Those that exist only once the links do. */
  linkSysctls: Record<string, string>;
  ruleset: string;
}

/** The instance and its external network. */
export interface Site {
  instance: string;
  external: Egress;
}

const defaultMtu = 1500;

/** Names of the namespaces that guests are booted in; they hold one end of each NIC and nothing else. */
export function guestNamespacesOf(plan: NetworkingPlan, instance: string): string[] {
  return [
    ...new Set(plan.ports.flatMap((port) => (port.serverId === null ? [] : guestNamespace(instance, port.serverId)))),
  ];
}

/** Networks whose guests may ask for their metadata: ids by namespace. */
export function askingNetworks(plan: NetworkingPlan, instance: string): Map<string, string> {
  const asking = plan.networks.filter(({ id }) => pluggedPorts(plan, id).length > 0);
  return new Map(asking.map(({ id }) => [networkNamespace(instance, id), id]));
}

/** The external network's namespace: a bridge that the machine and every router with a gateway are plugged into. */
export function externalPlan(plan: NetworkingPlan, site: Site): NamespacePlan {
  const bridge = links.externalBridge;
  const toHost: VethPlan = {
    name: links.externalHost,
    mtu: defaultMtu,
    master: bridge,
    peer: { namespace: null, name: hostLink(site.instance) },
  };
  const toRouters = plan.routers
    .filter((router) => router.externalIp !== null)
    .map((router) => ({
      name: links.externalPort(router.id),
      mtu: defaultMtu,
      master: bridge,
      peer: { namespace: routerNamespace(site.instance, router.id), name: links.externalLeg },
    }));
  return {
    name: externalNamespace(site.instance),
    bridge,
    veths: [toHost, ...toRouters],
    addresses: {},
    routes: [],
    sysctls: { "net.ipv6.conf.all.disable_ipv6": "1", "net.ipv6.conf.default.disable_ipv6": "1" },
    linkSysctls: {},
    ruleset: "",
  };
}

/** Every namespace of routers and networks. */
export function routedPlans(plan: NetworkingPlan, site: Site): NamespacePlan[] {
  return [
    ...plan.routers.map((router) => routerPlan(router, site)),
    ...plan.networks.map((network) => networkPlan(network, plan, site)),
  ];
}

const forwarding = {
  "net.ipv4.ip_forward": "1",
  "net.ipv4.conf.all.rp_filter": "0", // anti-spoofing is by link, MAC and address, and two routers make two ways
  "net.ipv4.conf.default.rp_filter": "0",
  "net.ipv4.conf.all.send_redirects": "0",
  "net.ipv4.conf.default.send_redirects": "0",
  "net.ipv6.conf.all.disable_ipv6": "1",
  "net.ipv6.conf.default.disable_ipv6": "1",
};

function routerPlan(router: RouterPlan, site: Site): NamespacePlan {
  const addresses: Record<string, string[]> = {};
  for (const leg of router.interfaces) {
    const name = links.routerLeg(leg.networkId);
    addresses[name] = [...(addresses[name] ?? []), `${leg.ip}/${prefixLength(leg.cidr)}`];
  }
  if (router.externalIp !== null) {
    addresses[links.externalLeg] = [
      `${router.externalIp}/${prefixLength(site.external.cidr)}`,
      ...new Set([...router.floatingIps, ...router.portForwardings].map(({ floatingIp }) => `${floatingIp}/32`)),
    ];
  }
  return {
    name: routerNamespace(site.instance, router.id),
    veths: [],
    addresses,
    routes: routesOf(router, site),
    // Refusals are answered every time: the kernel's limit of one ICMP error a second makes the second try hang.
    sysctls: { ...forwarding, "net.ipv4.icmp_ratelimit": "0" },
    linkSysctls: {},
    ruleset: routerRuleset(router, site.external),
  };
}

/** Where guests have a way out it leads by the machine; a next hop that no leg of the router lies beside is none. */
function routesOf(router: RouterPlan, { external }: Site): string[] {
  const ranges = [...router.interfaces.map(({ cidr }) => cidr), ...(router.externalIp === null ? [] : [external.cidr])];
  const own = router.routes
    .filter(({ nexthop }) => ranges.some((cidr) => isWithin(nexthop, cidr)))
    .map(({ destination, nexthop }) => `${destination} via ${nexthop}`);
  const isDefaulted = router.routes.some(({ destination }) => destination === "0.0.0.0/0");
  const leadsOut = external.anywhere === true && router.externalIp !== null && !isDefaulted;
  return [...own, ...(leadsOut ? [`default via ${external.gatewayIp}`] : [])];
}

/**
 * A tenant network without a bridge: each NIC is a routed link, the namespace answers ARP for all of them (proxy ARP), so that guests see
 * one Ethernet segment and the filter sees real links. Broadcasts between guests are not carried.
 */
function networkPlan(network: NetworkPlan, plan: NetworkingPlan, site: Site): NamespacePlan {
  const ports = pluggedPorts(plan, network.id);
  const legs = plan.routers.flatMap((router) =>
    router.interfaces.filter((leg) => leg.networkId === network.id).map((leg) => ({ router, leg })),
  );
  const routerIds = [...new Set(legs.map(({ router }) => router.id))];
  const gateways = network.subnets.flatMap((subnet) => subnet.gatewayIp ?? []);
  const exit = legs.find(({ leg }) => gateways.includes(leg.ip));
  const taps = ports.map((port) => ({
    name: links.tap(port.id),
    mtu: network.mtu,
    peer: {
      namespace: guestNamespace(site.instance, port.serverId as string),
      name: links.nic(nicIndex(plan, port.id)),
      mac: port.mac,
    },
  }));
  const uplinks = routerIds.map((id) => ({
    name: links.networkLeg(id),
    mtu: network.mtu,
    peer: { namespace: routerNamespace(site.instance, id), name: links.routerLeg(network.id) },
  }));
  return {
    name: networkNamespace(site.instance, network.id),
    veths: [...uplinks, ...taps],
    addresses: { lo: [`${metadataAddress}/32`, ...ownGateways(gateways, plan, network).map((ip) => `${ip}/32`)] },
    routes: [
      ...ports.flatMap((port) =>
        port.fixedIps.filter((ip) => !ip.includes(":")).map((ip) => `${ip}/32 dev ${links.tap(port.id)}`),
      ),
      ...allowedRoutes(ports),
      ...legs.map(({ router, leg }) => `${leg.ip}/32 dev ${links.networkLeg(router.id)}`),
      ...guestRoutes(
        legs.map(({ router }) => router),
        ports,
      ),
      ...(exit ? [`default via ${exit.leg.ip} dev ${links.networkLeg(exit.router.id)} onlink`] : []),
    ],
    sysctls: { ...forwarding, "net.ipv4.conf.default.proxy_arp": "1" },
    // The kernel waits up to 0.8 s before it answers ARP for another, and outside the machine's own namespace has no default to change.
    linkSysctls: Object.fromEntries(
      [...uplinks, ...taps].map(({ name }) => [`net.ipv4.neigh.${name}.proxy_delay`, "0"]),
    ),
    ruleset: networkRuleset(plan, network.id, routerIds),
  };
}

/** Gateways that no router has and no port: guests send by them to the metadata service, and are told at once that nothing else is there. */
function ownGateways(gateways: string[], plan: NetworkingPlan, network: NetworkPlan): string[] {
  const legs = plan.routers.flatMap(({ interfaces }) => interfaces).filter(({ networkId }) => networkId === network.id);
  const ports = plan.ports.filter(({ networkId }) => networkId === network.id);
  const taken = new Set([
    metadataAddress,
    ...legs.map(({ ip }) => ip),
    ...ports.flatMap(({ fixedIps, allowedAddresses }) => [
      ...fixedIps,
      ...allowedAddresses.map(({ address }) => address),
    ]),
  ]);
  return [...new Set(gateways)].filter((gateway) => !taken.has(gateway));
}

/** Addresses that one guest alone may have besides its own lead to it. */
function allowedRoutes(ports: PortPlan[]): string[] {
  const taken = new Set(ports.flatMap(({ fixedIps }) => fixedIps));
  const claims = ports.flatMap((port) =>
    [...new Set(port.allowedAddresses.map(({ address }) => address))]
      .filter((address) => ipv4Number(address) !== undefined && !taken.has(address))
      .map((address) => ({ address, port })),
  );
  return claims
    .filter(({ address }) => claims.filter((other) => other.address === address).length === 1)
    .map(({ address, port }) => `${address}/32 dev ${links.tap(port.id)}`);
}

/**
 * A router's routes whose next hop is a guest. The network's namespace routes, and so must know them too: what comes back from the router
 * for that guest would else be sent to the router again.
 */
function guestRoutes(routers: RouterPlan[], ports: PortPlan[]): string[] {
  const routes = new Map<string, string>();
  for (const { destination, nexthop } of routers.flatMap((router) => router.routes)) {
    const holder = ports.find(
      (port) => port.fixedIps.includes(nexthop) || port.allowedAddresses.some(({ address }) => address === nexthop),
    );
    if (holder === undefined || routes.has(destination) || destination === "0.0.0.0/0") continue;
    routes.set(destination, `${destination} via ${nexthop} dev ${links.tap(holder.id)} onlink`);
  }
  return [...routes.values()];
}

/** A NIC's number is its place among the server's ports, in the plan's order. */
function nicIndex(plan: NetworkingPlan, portId: string): number {
  const serverId = plan.ports.find((port) => port.id === portId)?.serverId;
  return plan.ports.filter((port) => port.serverId === serverId).findIndex((port) => port.id === portId);
}
