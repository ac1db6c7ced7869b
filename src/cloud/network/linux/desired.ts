import type { NetworkingPlan, NetworkPlan, PortPlan, RouterPlan } from "../dataplane.ts";
import { bitsOf, contains, parseCidr, parseIp, versionOf } from "../ip.ts";
import { prefixLength } from "./addresses.ts";
import { type DaemonConfigs, daemonConfigs } from "./daemon-configs.ts";
import { dhcpLinkAddress } from "./dhcpv6.ts";
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
  /** Any unless told. */
  mac?: string;
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
  /** Addresses that the namespace answers for on a link (IPv6 neighbour discovery), as `ADDRESS dev LINK`. */
  proxies: string[];
  sysctls: Record<string, string>;
  /** Those that exist only once the links do. */
  linkSysctls: Record<string, string>;
  ruleset: string;
  /** What serves the guests of a network. */
  daemons?: DaemonConfigs;
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
    proxies: [],
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
  "net.ipv6.conf.all.disable_ipv6": "0",
  "net.ipv6.conf.default.disable_ipv6": "0",
  "net.ipv6.conf.all.forwarding": "1",
  "net.ipv6.conf.default.forwarding": "1",
  "net.ipv6.conf.all.accept_redirects": "0",
  "net.ipv6.conf.default.accept_redirects": "0",
  // whose an address is, Neutron has seen to
  "net.ipv6.conf.all.accept_dad": "0",
  "net.ipv6.conf.default.accept_dad": "0",
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
    proxies: [],
    // Refusals are answered every time: the kernel's limit of one ICMP error a second makes the second try hang.
    sysctls: { ...forwarding, "net.ipv4.icmp_ratelimit": "0" },
    // what lies outside has no IPv6
    linkSysctls: router.externalIp === null ? {} : { [`net.ipv6.conf.${links.externalLeg}.disable_ipv6`]: "1" },
    ruleset: routerRuleset(router, site.external),
  };
}

/** Where guests have a way out it leads by the machine; a next hop that no leg of the router lies beside is none. */
function routesOf(router: RouterPlan, { external }: Site): string[] {
  const ranges = [...router.interfaces.map(({ cidr }) => cidr), ...(router.externalIp === null ? [] : [external.cidr])];
  const isBeside = (nexthop: string, cidr: string) => {
    const range = parseCidr(cidr);
    return range !== undefined && contains(range, nexthop);
  };
  const own = router.routes
    .filter(({ destination, nexthop }) => versionOf(destination) === versionOf(nexthop))
    .filter(({ nexthop }) => ranges.some((cidr) => isBeside(nexthop, cidr)))
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
  const daemons = daemonConfigs(network, plan, site.instance);
  const legs = plan.routers.flatMap((router) =>
    router.interfaces.filter((leg) => leg.networkId === network.id).map((leg) => ({ router, leg })),
  );
  const routerIds = [...new Set(legs.map(({ router }) => router.id))];
  const gateways = network.subnets.flatMap((subnet) => subnet.gatewayIp ?? []);
  const exits = exitsOf(legs, gateways);
  const ownAddresses = ports.flatMap((port) =>
    [...port.fixedIps, ...allowedAddresses(ports, port)].map((address) => ({ address, link: links.tap(port.id) })),
  );
  const legAddresses = legs.map(({ router, leg }) => ({ address: leg.ip, link: links.networkLeg(router.id) }));
  const taps = ports.map((port) => ({
    name: links.tap(port.id),
    mtu: network.mtu,
    mac: neighbourMac(port.mac),
    peer: {
      namespace: guestNamespace(site.instance, port.serverId as string),
      name: links.nic(port.nic),
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
    addresses: {
      lo: [`${metadataAddress}/32`, ...ownGateways(gateways, plan, network).map((ip) => `${ip}/32`)],
      ...Object.fromEntries(taps.map(({ name }) => [name, daemons.dnsmasq === undefined ? [] : [dhcpLinkAddress]])),
    },
    routes: [
      ...[...ownAddresses, ...legAddresses].map(({ address, link }) => `${hostRoute(address)} dev ${link}`),
      ...guestRoutes(
        legs.map(({ router }) => router),
        ports,
      ),
      ...exits.map(
        ({ router, leg }) => `${everywhere(leg.ip)} via ${leg.ip} dev ${links.networkLeg(router.id)} onlink`,
      ),
    ],
    proxies: neighbourProxies([...ownAddresses, ...legAddresses]),
    sysctls: {
      ...forwarding,
      "net.ipv4.conf.default.proxy_arp": "1",
      "net.ipv6.conf.all.proxy_ndp": "1",
      "net.ipv6.conf.default.proxy_ndp": "1",
    },
    // The kernel waits up to 0.8 s before it answers ARP for another, and outside the machine's own namespace has no default to change.
    linkSysctls: Object.fromEntries(
      [...uplinks, ...taps].flatMap(({ name }) => [
        [`net.ipv4.neigh.${name}.proxy_delay`, "0"],
        [`net.ipv6.neigh.${name}.proxy_delay`, "0"],
      ]),
    ),
    ruleset: networkRuleset(plan, network.id, routerIds),
    daemons,
  };
}

/**
 * What a guest finds behind every address: of its link's end here. The same for good, since a virtual machine does not see that its link is made
 * anew, and asks again only when it has had no answer for long.
 */
const neighbourMac = (mac: string) => mac.replace(/^../, (first) => (first === "f6" ? "f2" : "f6"));

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
  return [...new Set(gateways)].filter((gateway) => versionOf(gateway) === 4 && !taken.has(gateway));
}

/** Addresses that this guest alone may have besides its own lead to it. */
function allowedAddresses(ports: PortPlan[], port: PortPlan): string[] {
  const others = ports.filter(({ id }) => id !== port.id);
  const has = (other: PortPlan, wanted: string) => other.allowedAddresses.some(({ address }) => address === wanted);
  return [...new Set(port.allowedAddresses.map(({ address }) => address))]
    .filter((address) => parseIp(address) !== undefined)
    .filter((address) => !ports.some(({ fixedIps }) => fixedIps.includes(address)))
    .filter((address) => !others.some((other) => has(other, address)));
}

interface Leg {
  router: RouterPlan;
  leg: RouterPlan["interfaces"][number];
}

/** By family the leg that guests' gateway is, and in IPv6, where they go by what is advertised, else any. */
function exitsOf(legs: Leg[], gateways: string[]): Leg[] {
  const isGateway = ({ leg }: Leg) => gateways.includes(leg.ip);
  const [four, six] = ([4, 6] as const).map((version) => legs.filter(({ leg }) => versionOf(leg.ip) === version));
  return [four?.find(isGateway) ?? [], six?.find(isGateway) ?? six?.[0] ?? []].flat();
}

const hostRoute = (address: string) => `${address}/${bitsOf(versionOf(address))}`;

const everywhere = (address: string) => (versionOf(address) === 4 ? "default" : "::/0");

/**
 * Of IPv6 the kernel answers for named addresses only: on each link for those behind the others. Not on the link itself, where the guest
 * would take its own address for somebody else's.
 */
function neighbourProxies(all: { address: string; link: string }[]): string[] {
  const found = all.filter(({ address }) => versionOf(address) === 6);
  const asking = new Set(all.map(({ link }) => link));
  return [...asking].flatMap((link) =>
    found.filter((one) => one.link !== link).map(({ address }) => `${address} dev ${link}`),
  );
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
    if (holder === undefined || routes.has(destination) || destination.endsWith("/0")) continue;
    if (versionOf(destination) !== versionOf(nexthop)) continue;
    routes.set(destination, `${destination} via ${nexthop} dev ${links.tap(holder.id)} onlink`);
  }
  return [...routes.values()];
}
