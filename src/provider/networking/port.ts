import type { PropertyMap, PropertyValue } from "../../engine/resource-provider.ts";
import type { ResourceKind } from "../kind.ts";
import type { ApiObject } from "../schema/api-form.ts";
import { anObject, aString, flag, integer, list, map, object, set, text } from "../schema/property.ts";
import { isMap, mapsOf, textOf, textsOf } from "../schema/values.ts";
import { byName, commonProperties, neutronKind, tagProperties, valueSpecs } from "./neutron.ts";

const fixedIp = anObject({ subnetId: text({ required: true }), ipAddress: text() });

const addressPair = anObject({
  ipAddress: text({ field: "ip_address", required: true }),
  macAddress: text({ field: "mac_address" }),
});

const dhcpOption = anObject({
  name: text({ field: "opt_name", required: true }),
  value: text({ field: "opt_value", required: true }),
  ipVersion: integer({ field: "ip_version", default: 4 }),
});

const vnicTypes = ["direct", "direct-physical", "macvtap", "normal", "baremetal", "virtio-forwarder"];

/** `openstack_networking_port_v2`. */
export const port: ResourceKind = neutronKind({
  type: "openstack:networking/port:Port",
  path: "ports",
  collection: "ports",
  member: "port",
  autoName: true,
  timeouts: { create: 600, delete: 600 },
  usable: ["ACTIVE", "DOWN"],
  properties: {
    ...commonProperties,
    ...tagProperties,
    ...valueSpecs,
    name: text({ field: "name" }),
    description: text({ field: "description" }),
    networkId: text({ field: "network_id", required: true, replaces: true }),
    adminStateUp: flag({ field: "admin_state_up", computed: true }),
    macAddress: text({ field: "mac_address", computed: true, replaces: true }),
    deviceId: text({ field: "device_id", computed: true, replaces: true }),
    deviceOwner: text({ field: "device_owner", computed: true, replaces: true }),
    portSecurityEnabled: flag({ field: "port_security_enabled", computed: true }),
    qosPolicyId: text({ field: "qos_policy_id", computed: true }),
    dnsName: text({ field: "dns_name", computed: true }),
    dnsAssignments: list({ is: "map" }, { field: "dns_assignment", output: true, computed: true }),
    fixedIps: list(fixedIp, { kept: true, conflictsWith: ["noFixedIp"] }),
    noFixedIp: flag({ kept: true, conflictsWith: ["fixedIps"] }),
    allFixedIps: list(aString, { output: true, computed: true }),
    securityGroupIds: set(aString, { kept: true }),
    noSecurityGroups: flag({ kept: true }),
    allSecurityGroupIds: set(aString, { field: "security_groups", output: true, computed: true }),
    allowedAddressPairs: set(addressPair, { field: "allowed_address_pairs" }),
    extraDhcpOptions: set(dhcpOption, { field: "extra_dhcp_opts" }),
    binding: object(
      {
        hostId: text({ computed: true }),
        profile: text(),
        vifDetails: map({ output: true, computed: true }),
        vifType: text({ output: true, computed: true }),
        vnicType: text({ default: "normal", allowed: vnicTypes }),
      },
      { computed: true },
    ),
  },
  identity: (inputs) => ({ ...byName(inputs), network_id: textOf(inputs, "networkId") }),
  createBody: (_, inputs) => ({ ...addressesField(inputs), ...groupsField(inputs), ...bindingField(inputs) }),
  updateBody: ({ inputs, olds, changed }) => ({
    ...(changed.has("fixedIps") || changed.has("noFixedIp") ? addressesField(inputs) : {}),
    ...(changed.has("securityGroupIds") ? { security_groups: textsOf(inputs, "securityGroupIds") } : {}),
    ...(changed.has("noSecurityGroups") ? groupsField(inputs) : {}),
    ...(changed.has("binding") ? bindingField(inputs) : {}),
    ...(changed.has("extraDhcpOptions") ? dhcpOptionsField(olds, inputs) : {}),
  }),
  readMore: (api) => ({
    allFixedIps: ((api.fixed_ips ?? []) as { ip_address: string }[]).map((one) => one.ip_address),
    allowedAddressPairs: addressPairs(api),
    binding: bindingState(api),
  }),
});

function addressesField(inputs: PropertyMap): ApiObject {
  if (inputs.noFixedIp === true) return { fixed_ips: [] };
  const addresses = mapsOf(inputs, "fixedIps").map((one) => ({
    subnet_id: one.subnetId,
    ...(textOf(one, "ipAddress") === undefined ? {} : { ip_address: one.ipAddress }),
  }));
  return addresses.length > 0 ? { fixed_ips: addresses } : {};
}

/** Without the field the cloud adds the project's default group; an empty list means none at all. */
function groupsField(inputs: PropertyMap): ApiObject {
  const groups = textsOf(inputs, "securityGroupIds");
  if (groups.length > 0) return { security_groups: groups };
  return inputs.noSecurityGroups === true ? { security_groups: [] } : {};
}

/** Neutron merges options into those that a port has: one that is no more is taken away by a value of null. */
function dhcpOptionsField(olds: PropertyMap, inputs: PropertyMap): ApiObject {
  const fieldsOf = (option: PropertyMap) => ({ opt_name: option.name, ip_version: option.ipVersion ?? 4 });
  const wanted = mapsOf(inputs, "extraDhcpOptions");
  const isKept = (old: PropertyMap) =>
    wanted.some((one) => one.name === old.name && (one.ipVersion ?? 4) === (old.ipVersion ?? 4));
  const gone = mapsOf(olds, "extraDhcpOptions").filter((old) => !isKept(old));
  return {
    extra_dhcp_opts: [
      ...wanted.map((one) => ({ ...fieldsOf(one), opt_value: one.value })),
      ...gone.map((one) => ({ ...fieldsOf(one), opt_value: null })),
    ],
  };
}

function bindingField(inputs: PropertyMap): ApiObject {
  if (!isMap(inputs.binding)) return {};
  const [hostId, profile] = [textOf(inputs.binding, "hostId"), textOf(inputs.binding, "profile")];
  return {
    "binding:vnic_type": textOf(inputs.binding, "vnicType") ?? "normal",
    ...(hostId === undefined ? {} : { "binding:host_id": hostId }),
    ...(profile === undefined ? {} : { "binding:profile": JSON.parse(profile) as unknown }),
  };
}

/** Whom a port is bound to, in the form of the state. */
export function bindingState(api: ApiObject): PropertyMap {
  const profile = api["binding:profile"];
  const details = (api["binding:vif_details"] ?? {}) as Record<string, unknown>;
  return {
    hostId: String(api["binding:host_id"] ?? ""),
    profile: profile === undefined || profile === null || isEmpty(profile) ? "" : JSON.stringify(profile),
    vifDetails: Object.fromEntries(Object.entries(details).map(([name, value]) => [name, String(value)])),
    vifType: String(api["binding:vif_type"] ?? ""),
    vnicType: String(api["binding:vnic_type"] ?? ""),
  };
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

/** The cloud fills in the port's own MAC address; that is the same as not giving one. */
export function addressPairs(api: ApiObject): PropertyValue[] {
  const pairs = (api.allowed_address_pairs ?? []) as { ip_address: string; mac_address?: string }[];
  return pairs.map((pair) => ({
    ipAddress: pair.ip_address,
    macAddress: pair.mac_address === undefined || pair.mac_address === api.mac_address ? "" : pair.mac_address,
  }));
}
