import { aString, set, text } from "../schema/property.ts";
import { neutronFunction } from "./neutron-function.ts";

/** What can be asked for is also answered. */
const told = {
  address: text({ field: "floating_ip_address" }),
  description: text({ field: "description" }),
  tenantId: text({ field: "tenant_id" }),
  pool: text({ field: "floating_network_id" }),
  portId: text({ field: "port_id" }),
  fixedIp: text({ field: "fixed_ip_address" }),
  status: text({ field: "status" }),
};

/** `openstack_networking_floatingip_v2` as a data source. Here, unlike in the resource, `pool` is the external network's id. */
export const getFloatingIp = neutronFunction({
  token: "openstack:networking/getFloatingIp:getFloatingIp",
  path: "floatingips",
  collection: "floatingips",
  what: "floating IP",
  official: {
    none: "No openstack_networking_floatingip_v2 found",
    several: "More than one openstack_networking_floatingip_v2 found",
  },
  args: {
    region: text(),
    ...told,
    tags: set(aString),
  },
  results: {
    ...told,
    dnsName: text({ field: "dns_name" }),
    dnsDomain: text({ field: "dns_domain" }),
  },
});
