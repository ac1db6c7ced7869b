import { aString, flag, list, set, text } from "../schema/property.ts";
import { textOf, textsOf } from "../schema/values.ts";
import { neutronFunction } from "./neutron-function.ts";
import { addressPairs, bindingState, port } from "./port.ts";

const { extraDhcpOptions = text(), dnsAssignments = text() } = port.properties;

/** What can be asked for is also answered. */
const told = {
  portId: text({ field: "id" }),
  name: text({ field: "name" }),
  description: text({ field: "description" }),
  adminStateUp: flag({ field: "admin_state_up" }),
  networkId: text({ field: "network_id" }),
  tenantId: text({ field: "tenant_id" }),
  projectId: text({ field: "project_id" }),
  deviceOwner: text({ field: "device_owner" }),
  deviceId: text({ field: "device_id" }),
  macAddress: text({ field: "mac_address" }),
  dnsName: text({ field: "dns_name" }),
};

/** `openstack_networking_port_v2` as a data source; Neutron knows no filter for groups, and one for addresses that not all clouds have. */
export const getPort = neutronFunction({
  token: "openstack:networking/getPort:getPort",
  path: "ports",
  collection: "ports",
  what: "port",
  official: {
    none: "No openstack_networking_port_v2 found",
    several: "More than one openstack_networking_port_v2 found",
  },
  args: {
    region: text(),
    ...told,
    status: text({ field: "status" }),
    fixedIp: text(),
    securityGroupIds: set(aString),
    tags: set(aString),
  },
  fits(api, args) {
    const address = textOf(args, "fixedIp");
    const addresses = (api.fixed_ips ?? []) as { ip_address: string }[];
    if (address !== undefined && !addresses.some((one) => one.ip_address === address)) return false;
    const groups = textsOf(args, "securityGroupIds");
    return groups.length === 0 || ((api.security_groups ?? []) as string[]).some((id) => groups.includes(id));
  },
  results: {
    ...told,
    allSecurityGroupIds: set(aString, { field: "security_groups" }),
    extraDhcpOptions,
    dnsAssignments,
    allFixedIps: list(aString),
  },
  more: (api) => ({
    allFixedIps: ((api.fixed_ips ?? []) as { ip_address: string }[]).map((one) => one.ip_address),
    allowedAddressPairs: addressPairs(api),
    bindings: [bindingState(api)],
  }),
});
