import type { PropertyMap } from "../../engine/resource-provider.ts";
import { anObject, aString, flag, integer, list, type Properties, set, text } from "../schema/property.ts";
import { neutronFunction } from "./neutron-function.ts";

const modes = ["slaac", "dhcpv6-stateful", "dhcpv6-stateless"];

/** Filters of subnets that more than one function takes. */
export const subnetFilters: Properties = {
  region: text(),
  name: text({ field: "name" }),
  description: text({ field: "description" }),
  networkId: text({ field: "network_id" }),
  tenantId: text({ field: "tenant_id" }),
  cidr: text({ field: "cidr" }),
  gatewayIp: text({ field: "gateway_ip" }),
  ipVersion: integer({ field: "ip_version", allowed: [4, 6] }),
  ipv6AddressMode: text({ field: "ipv6_address_mode", allowed: modes }),
  ipv6RaMode: text({ field: "ipv6_ra_mode", allowed: modes }),
  subnetpoolId: text({ field: "subnetpool_id" }),
  dhcpEnabled: flag({ field: "enable_dhcp" }),
  tags: set(aString),
};

const pool = anObject({ start: text({ field: "start" }), end: text({ field: "end" }) });
const route = anObject({ destinationCidr: text({ field: "destination" }), nextHop: text({ field: "nexthop" }) });

/** `openstack_networking_subnet_v2` as a data source. */
export const getSubnet = neutronFunction({
  token: "openstack:networking/getSubnet:getSubnet",
  path: "subnets",
  collection: "subnets",
  what: "subnet",
  official: {
    none: "Your query returned no openstack_networking_subnet_v2. Please change your search criteria and try again.",
    several:
      "Your query returned more than one openstack_networking_subnet_v2. Please try a more specific search criteria",
  },
  args: {
    ...subnetFilters,
    subnetId: text({ field: "id" }),
    dhcpEnabled: flag({ field: "enable_dhcp", conflictsWith: ["dhcpDisabled"] }),
    dhcpDisabled: flag({ deprecated: true, conflictsWith: ["dhcpEnabled"] }),
  },
  filters: ({ dhcpDisabled }: PropertyMap) => (typeof dhcpDisabled === "boolean" ? { enable_dhcp: !dhcpDisabled } : {}),
  results: {
    name: text({ field: "name" }),
    description: text({ field: "description" }),
    tenantId: text({ field: "tenant_id" }),
    networkId: text({ field: "network_id" }),
    cidr: text({ field: "cidr" }),
    ipVersion: integer({ field: "ip_version" }),
    ipv6AddressMode: text({ field: "ipv6_address_mode" }),
    ipv6RaMode: text({ field: "ipv6_ra_mode" }),
    gatewayIp: text({ field: "gateway_ip" }),
    enableDhcp: flag({ field: "enable_dhcp" }),
    subnetpoolId: text({ field: "subnetpool_id" }),
    dnsNameservers: set(aString, { field: "dns_nameservers" }),
    serviceTypes: set(aString, { field: "service_types" }),
    hostRoutes: list(route, { field: "host_routes" }),
    allocationPools: list(pool, { field: "allocation_pools" }),
  },
});
