import type { PropertyMap } from "../../engine/resource-provider.ts";
import type { ResourceKind } from "../kind.ts";
import type { ApiObject } from "../schema/api-form.ts";
import { anObject, aString, flag, integer, set, text } from "../schema/property.ts";
import { byName, commonProperties, neutronKind, tagProperties, valueSpecs } from "./neutron.ts";

const segment = anObject({
  networkType: text({ field: "provider:network_type" }),
  physicalNetwork: text({ field: "provider:physical_network" }),
  segmentationId: integer({ field: "provider:segmentation_id", computed: true }),
});

/** `openstack_networking_network_v2`. */
export const network: ResourceKind = neutronKind({
  type: "openstack:networking/network:Network",
  path: "networks",
  collection: "networks",
  member: "network",
  autoName: true,
  timeouts: { create: 600, delete: 600 },
  usable: ["ACTIVE", "DOWN"],
  properties: {
    ...commonProperties,
    ...tagProperties,
    ...valueSpecs,
    name: text({ field: "name" }),
    description: text({ field: "description" }),
    adminStateUp: flag({ field: "admin_state_up", computed: true }),
    shared: flag({ field: "shared", computed: true }),
    external: flag({ field: "router:external", computed: true }),
    mtu: integer({ field: "mtu", computed: true }),
    dnsDomain: text({ field: "dns_domain", computed: true }),
    portSecurityEnabled: flag({ field: "port_security_enabled", computed: true }),
    qosPolicyId: text({ field: "qos_policy_id", computed: true }),
    transparentVlan: flag({ field: "vlan_transparent", computed: true, replaces: true }),
    availabilityZoneHints: set(aString, { field: "availability_zone_hints", computed: true, replaces: true }),
    segments: set(segment, { field: "segments", computed: true }),
  },
  identity: byName,
  readMore: (api) => ({ segments: segmentsOf(api) }),
});

/** Administrators see `provider:*` fields; they are the first segment. */
function segmentsOf(api: ApiObject): PropertyMap[] {
  const networkType = api["provider:network_type"];
  if (networkType === undefined || networkType === null) return [];
  return [
    {
      networkType: String(networkType),
      physicalNetwork: String(api["provider:physical_network"] ?? ""),
      segmentationId: Number(api["provider:segmentation_id"] ?? 0),
    },
  ];
}
