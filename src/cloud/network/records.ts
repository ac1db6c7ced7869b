import type { Collection, Store } from "../store/store.ts";

/** What every Neutron resource has. */
export interface NetworkRecord {
  id: string;
  /** Empty for what Neutron makes for itself (the ports of floating IPs and gateways). */
  projectId: string;
  name: string;
  /** Nobody described what Neutron makes for itself: the rules of a new group have none. */
  description: string | null;
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
  /** What an administrator sees of how it is carried; networks of earlier versions have none. */
  provider?: ProviderSegment;
  zoneHints?: string[];
  /** The network that an auto-allocated topology leads out by. */
  isDefault?: boolean;
}

/** Neutron's `provider:` attributes. */
export interface ProviderSegment {
  type: "flat" | "vxlan" | "local";
  physicalNetwork: string | null;
  segmentationId: number | null;
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
  /** The pool that its range was taken from. */
  poolId?: string | null;
  serviceTypes?: string[];
  /** How hosts get their addresses in an IPv6 subnet, where something tells them; absent in IPv4. */
  ipv6AddressMode?: Ipv6Mode | undefined;
  /** What the routers of an IPv6 subnet advertise; without it they are silent. */
  ipv6RaMode?: Ipv6Mode | undefined;
}

/** Neutron's words for how IPv6 addresses are configured. */
export type Ipv6Mode = "slaac" | "dhcpv6-stateful" | "dhcpv6-stateless";

/** Ranges that subnets are cut from. */
export interface SubnetPool extends NetworkRecord {
  prefixes: string[];
  minPrefixLength: number;
  maxPrefixLength: number;
  defaultPrefixLength: number;
  /** Addresses a project; null = as many as there are. */
  defaultQuota: number | null;
  shared: boolean;
  isDefault: boolean;
  addressScopeId: string | null;
}

/** Within a scope no two pools hold the same address. */
export interface AddressScope extends NetworkRecord {
  shared: boolean;
  ipVersion: 4 | 6;
}

/** Ranges that security group rules name together. */
export interface AddressGroup extends NetworkRecord {
  addresses: string[];
}

/** Lets another project use something. */
export interface RbacPolicy extends NetworkRecord {
  objectType: RbacType;
  objectId: string;
  action: "access_as_shared" | "access_as_external";
  /** A project, or `*` for all. */
  target: string;
}

export type RbacType = "network" | "subnetpool" | "address_scope" | "address_group" | "security_group";

/** A port of a floating IP that leads to a port of a guest. */
export interface PortForwarding extends NetworkRecord {
  floatingIpId: string;
  /** As it was given: a name. */
  protocol: string;
  externalPort: number;
  internalPortId: string;
  internalIp: string;
  internalPort: number;
}

/** What an administrator said of one of the cloud's own agents. */
export interface Agent {
  id: string;
  kind: "l2" | "l3";
  adminStateUp: boolean;
  description: string | null;
  createdAt: string;
}

/** What a project was given that asked for any network. */
export interface AutoAllocatedTopology {
  /** The project. */
  id: string;
  networkId: string;
  routerId: string;
}

/** What a project's quota was changed to. */
interface NetworkQuota {
  /** The project. */
  id: string;
  limits: Record<string, number>;
}

export interface FixedIp {
  subnetId: string;
  ipAddress: string;
}

/** What a port is plugged into: the server, the router whose leg it is, or the load balancer whose address it has. */
export interface PortDevice {
  kind: "server" | "router" | "balancer";
  id: string;
  /** The number of a server's NIC, from 0; absent for one that an earlier version plugged in. */
  nic?: number;
}

export interface Port extends NetworkRecord {
  networkId: string;
  mac: string;
  adminStateUp: boolean;
  status: "ACTIVE" | "DOWN";
  /** `device_id` and `device_owner`: what the API was told. What a port is plugged into is said by {@link Port.device} alone. */
  deviceId: string;
  deviceOwner: string;
  /** Set and taken off by what plugs the port in; absent while nothing does. */
  device?: PortDevice | undefined;
  fixedIps: FixedIp[];
  securityGroupIds: string[];
  portSecurityEnabled: boolean;
  allowedAddressPairs: { ip_address: string; mac_address: string }[];
  extraDhcpOpts: { opt_name: string; opt_value: string; ip_version?: number | undefined }[];
  vnicType?: string;
  /** What Nova, or an administrator, says of the host. */
  hostId?: string;
  bindingProfile?: Record<string, unknown>;
  numaAffinityPolicy?: string | null;
  deviceProfile?: string | null;
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
  zoneHints?: string[];
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
  remoteAddressGroupId?: string | null;
  /** Nobody asked for it: the group began with it. */
  isGroupsOwn?: boolean;
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
  subnetPools: Collection<SubnetPool>;
  addressScopes: Collection<AddressScope>;
  addressGroups: Collection<AddressGroup>;
  rbacPolicies: Collection<RbacPolicy>;
  portForwardings: Collection<PortForwarding>;
  quotas: Collection<NetworkQuota>;
  agents: Collection<Agent>;
  topologies: Collection<AutoAllocatedTopology>;
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
    subnetPools: store.collection("subnet-pool"),
    addressScopes: store.collection("address-scope"),
    addressGroups: store.collection("address-group"),
    rbacPolicies: store.collection("rbac-policy"),
    portForwardings: store.collection("port-forwarding"),
    quotas: store.collection("network-quota"),
    agents: store.collection("network-agent"),
    topologies: store.collection("auto-allocated-topology"),
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

/** The owners of ports that are a router's in a tenant's network. */
export const routerInterfaceOwners: readonly string[] = [
  ...[deviceOwner.routerInterface, "network:ha_router_replicated_interface", "network:router_interface_distributed"],
  "network:router_centralized_snat",
];
