import type { RequestListener } from "node:http";
import type { Ipv6Mode } from "./records.ts";

/** A tenant network as the data plane must make it. CIDRs and addresses are texts of either family. */
export interface NetworkPlan {
  id: string;
  mtu: number;
  subnets: SubnetPlan[];
}

export interface SubnetPlan {
  id: string;
  cidr: string;
  gatewayIp: string | null;
  /** How guests configure themselves in an IPv6 subnet. */
  ipv6?: Ipv6Plan;
}

interface Ipv6Plan {
  /** What routers advertise; null = they are silent. */
  raMode: Ipv6Mode | null;
  /** How guests get their addresses; null = nothing tells them. */
  addressMode: Ipv6Mode | null;
  nameServers: string[];
}

/** A router: its leg in the external network, its legs in tenant networks, and the floating IPs that it translates. */
export interface RouterPlan {
  id: string;
  /** The router's own IPv4 address on the external network, which carries nothing else; null without a gateway. */
  externalIp: string | null;
  /** Without it, only guests that have a floating IP get an external source address. */
  enableSnat: boolean;
  interfaces: { networkId: string; ip: string; cidr: string }[];
  floatingIps: { floatingIp: string; fixedIp: string }[];
  /** Single ports of floating IPs that lead to guests. */
  portForwardings: PortForwardingPlan[];
  /** Routes beside those to its own networks. */
  routes: { destination: string; nexthop: string }[];
}

/** One port of a floating IP, and the guest's port behind it. */
export interface PortForwardingPlan {
  floatingIp: string;
  /** nft's name of a protocol with ports. */
  protocol: string;
  externalPort: number;
  fixedIp: string;
  internalPort: number;
}

/** One rule of a security group, Neutron's fields. */
export interface SecurityRulePlan {
  direction: "ingress" | "egress";
  ethertype: "IPv4" | "IPv6";
  /** Protocol name or number; null = any. */
  protocol: string | null;
  portMin: number | null;
  portMax: number | null;
  remoteCidr: string | null;
  remoteGroupId: string | null;
}

/** A guest's or a load balancer's port. */
export interface PortPlan {
  id: string;
  networkId: string;
  mac: string;
  fixedIps: string[];
  /** Further addresses that the port may use as a source (allowed address pairs). */
  allowedAddresses: { address: string; mac: string }[];
  /** False: no security groups and no anti-spoofing. */
  portSecurity: boolean;
  securityGroupIds: string[];
  /** The server or load balancer that the port is plugged into; null = not plugged, nothing to make. */
  serverId: string | null;
  /** Which of the server's NICs it is, from 0: no other of its ports has the number, plugged or not. */
  nic: number;
}

/** What the network of the whole cloud shall look like. */
export interface NetworkingPlan {
  networks: NetworkPlan[];
  routers: RouterPlan[];
  ports: PortPlan[];
  securityGroups: { id: string; rules: SecurityRulePlan[] }[];
}

/**
 * The seam below Neutron: makes namespaces, links, addresses, translation and filters be as a plan says. `apply` compares with what
 * exists and changes the difference, so that it can be called after every API call and after a restart of the daemon. Calls are
 * serialized by the implementation; the last plan wins.
 */
export interface Dataplane {
  /** The external network that this cloud owns: CIDR, and the machine's own address in it (gateway; the object store listens there). */
  readonly external: { cidr: string; gatewayIp: string };
  /** Makes the external bridge and its link to the machine. */
  start(): Promise<void>;
  apply(plan: NetworkingPlan): Promise<void>;
  /**
   * Answers what guests ask at 169.254.169.254, each network by a listener of its own, until it is told to end. Absent where guests have no way
   * to ask.
   */
  serveMetadata?(
    listenerFor: (networkId: string) => RequestListener,
    log: (line: string) => void,
  ): { end(): Promise<void> };
  /** Looks after nothing any more; what was made stays. Absent where nothing is done but at calls. */
  close?(): Promise<void>;
  /** Removes everything that this cloud made on the machine. */
  destroy(): Promise<void>;
}
