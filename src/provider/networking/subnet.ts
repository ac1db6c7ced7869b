import type { PropertyMap } from "../../engine/resource-provider.ts";
import type { ResourceKind } from "../kind.ts";
import type { ApiObject } from "../schema/api-form.ts";
import { anObject, aString, flag, integer, list, set, text } from "../schema/property.ts";
import { refuseUnlessCidr, sameNetwork } from "../schema/suppress.ts";
import { textOf } from "../schema/values.ts";
import { byName, commonProperties, neutronKind, tagProperties, valueSpecs } from "./neutron.ts";

const pool = anObject({
  start: text({ field: "start", required: true }),
  end: text({ field: "end", required: true }),
});

const route = anObject({
  destinationCidr: text({ field: "destination", required: true }),
  nextHop: text({ field: "nexthop", required: true }),
});

const ipv6Modes = ["slaac", "dhcpv6-stateful", "dhcpv6-stateless"];

/** `openstack_networking_subnet_v2`. */
export const subnet: ResourceKind = neutronKind({
  type: "openstack:networking/subnet:Subnet",
  path: "subnets",
  collection: "subnets",
  member: "subnet",
  autoName: true,
  timeouts: { create: 600, delete: 600 },
  properties: {
    ...commonProperties,
    ...tagProperties,
    ...valueSpecs,
    name: text({ field: "name" }),
    description: text({ field: "description" }),
    networkId: text({ field: "network_id", required: true, replaces: true }),
    cidr: text({
      field: "cidr",
      computed: true,
      replaces: true,
      conflictsWith: ["prefixLength"],
      refuse: refuseUnlessCidr,
      same: sameNetwork,
    }),
    prefixLength: integer({ field: "prefixlen", kept: true, replaces: true, conflictsWith: ["cidr"] }),
    ipVersion: integer({ field: "ip_version", replaces: true, default: 4, allowed: [4, 6] }),
    ipv6AddressMode: text({ field: "ipv6_address_mode", computed: true, replaces: true, allowed: ipv6Modes }),
    ipv6RaMode: text({ field: "ipv6_ra_mode", computed: true, replaces: true, allowed: ipv6Modes }),
    gatewayIp: text({ field: "gateway_ip", computed: true, conflictsWith: ["noGateway"] }),
    noGateway: flag({ default: false, conflictsWith: ["gatewayIp"] }),
    enableDhcp: flag({ field: "enable_dhcp", default: true }),
    dnsNameservers: list(aString, { field: "dns_nameservers", refuse: refuseDuplicates }),
    hostRoutes: list(route, { field: "host_routes", kept: true, deprecated: true }),
    serviceTypes: list(aString, { field: "service_types", computed: true }),
    subnetpoolId: text({ field: "subnetpool_id", replaces: true }),
    allocationPools: set(pool, {
      field: "allocation_pools",
      computed: true,
      conflictsWith: ["allocationPoolsCollection"],
    }),
    allocationPoolsCollection: list(pool, { computed: true, deprecated: true, conflictsWith: ["allocationPools"] }),
  },
  identity: (inputs) => ({ ...byName(inputs), network_id: textOf(inputs, "networkId") }),
  createBody: (_, inputs) => ({ ...gatewayField(inputs), ...poolsField(inputs) }),
  updateBody: ({ inputs, changed }) => ({
    ...(changed.has("noGateway") ? gatewayField(inputs) : {}),
    ...(changed.has("allocationPoolsCollection") ? poolsField(inputs) : {}),
  }),
  readMore: (api, _, __) => ({
    noGateway: api.gateway_ip === null || api.gateway_ip === "",
    allocationPoolsCollection: (api.allocation_pools ?? []) as PropertyMap[],
  }),
});

/** `null` asks for a subnet without gateway; leaving the field out asks for the first address. */
function gatewayField(inputs: PropertyMap): ApiObject {
  return inputs.noGateway === true ? { gateway_ip: null } : {};
}

function poolsField(inputs: PropertyMap): ApiObject {
  const pools = inputs.allocationPoolsCollection;
  return pools === undefined || pools === null ? {} : { allocation_pools: pools };
}

function refuseDuplicates(value: unknown): string | undefined {
  const all = value as string[];
  return new Set(all).size === all.length ? undefined : "names a server twice";
}
