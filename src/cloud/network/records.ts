import type { Collection, Store } from "../store/store.ts";

/** What every Neutron resource has. */
export interface NetworkRecord {
  id: string;
  /** Empty for what Neutron makes for itself (the ports of floating IPs and gateways). */
  projectId: string;
  name: string;
  description: string;
  tags: string[];
  createdAt: string;
  updatedAt: string;
  revision: number;
}

export interface Network extends NetworkRecord {
  adminStateUp: boolean;
  shared: boolean;
  external: boolean;
  /** Bytes. */
  mtu: number;
  portSecurityEnabled: boolean;
}

export interface AllocationPool {
  start: string;
  end: string;
}

export interface Subnet extends NetworkRecord {
  networkId: string;
  cidr: string;
  gatewayIp: string | null;
  enableDhcp: boolean;
  allocationPools: AllocationPool[];
  dnsNameservers: string[];
  hostRoutes: { destination: string; nexthop: string }[];
}

export interface FixedIp {
  subnetId: string;
  ipAddress: string;
}

export interface Port extends NetworkRecord {
  networkId: string;
  mac: string;
  adminStateUp: boolean;
  status: "ACTIVE" | "DOWN";
  deviceId: string;
  deviceOwner: string;
  fixedIps: FixedIp[];
  securityGroupIds: string[];
  portSecurityEnabled: boolean;
  allowedAddressPairs: { ip_address: string; mac_address: string }[];
  extraDhcpOpts: { opt_name: string; opt_value: string; ip_version?: number | undefined }[];
}

export interface RouterGateway {
  networkId: string;
  enableSnat: boolean;
  portId: string;
}

export interface Router extends NetworkRecord {
  adminStateUp: boolean;
  gateway: RouterGateway | null;
  routes: { destination: string; nexthop: string }[];
}

export interface SecurityGroup extends NetworkRecord {
  stateful: boolean;
}

export interface SecurityGroupRule extends NetworkRecord {
  securityGroupId: string;
  direction: "ingress" | "egress";
  ethertype: "IPv4" | "IPv6";
  protocol: string | null;
  portRangeMin: number | null;
  portRangeMax: number | null;
  remoteIpPrefix: string | null;
  remoteGroupId: string | null;
}

export interface FloatingIp extends NetworkRecord {
  address: string;
  networkId: string;
  /** The port that holds the address on the external network. */
  ownPortId: string;
  portId: string | null;
  fixedIp: string | null;
  routerId: string | null;
}

/** A port in a trunk, in the API's own form. */
export interface SubPort {
  port_id: string;
  segmentation_type: "vlan";
  segmentation_id: number;
}

export interface Trunk extends NetworkRecord {
  /** The parent: the port that a server has. */
  portId: string;
  adminStateUp: boolean;
  subPorts: SubPort[];
}

/** Neutron's tables. */
export interface NetworkTables {
  networks: Collection<Network>;
  subnets: Collection<Subnet>;
  ports: Collection<Port>;
  routers: Collection<Router>;
  securityGroups: Collection<SecurityGroup>;
  securityGroupRules: Collection<SecurityGroupRule>;
  floatingIps: Collection<FloatingIp>;
  trunks: Collection<Trunk>;
}

export function networkTables(store: Store): NetworkTables {
  return {
    networks: store.collection("network"),
    subnets: store.collection("subnet"),
    ports: store.collection("port"),
    routers: store.collection("router"),
    securityGroups: store.collection("security-group"),
    securityGroupRules: store.collection("security-group-rule"),
    floatingIps: store.collection("floating-ip"),
    trunks: store.collection("trunk"),
  };
}

/** Who owns a port that is not free for others: the words of `device_owner`. */
export const deviceOwner = {
  routerInterface: "network:router_interface",
  routerGateway: "network:router_gateway",
  floatingIp: "network:floatingip",
  compute: "compute:nova",
  /** A load balancer's address. */
  balancer: "Octavia",
} as const;
