import type { PropertyMap } from "../../engine/resource-provider.ts";
import type { Context, ResourceKind } from "../kind.ts";
import { aString, fromEnv, list, text } from "../schema/property.ts";
import { textOf, textsOf } from "../schema/values.ts";
import { networkNamed } from "./lookup.ts";
import { commonProperties, neutronKind, tagProperties, valueSpecs } from "./neutron.ts";
import { withSubnetsInTurn } from "./subnets-in-turn.ts";

const table = neutronKind({
  type: "openstack:networking/floatingIp:FloatingIp",
  path: "floatingips",
  collection: "floatingips",
  member: "floatingip",
  autoName: false,
  timeouts: { create: 600, delete: 600 },
  usable: ["ACTIVE", "DOWN"],
  properties: {
    ...commonProperties,
    ...tagProperties,
    ...valueSpecs,
    description: text({ field: "description" }),
    pool: text({ required: true, replaces: true, defaultFrom: fromEnv("OS_POOL_NAME") }),
    address: text({ field: "floating_ip_address", computed: true, replaces: true }),
    portId: text({ field: "port_id", computed: true }),
    fixedIp: text({ field: "fixed_ip_address", computed: true }),
    dnsName: text({ field: "dns_name", computed: true, replaces: true }),
    dnsDomain: text({ field: "dns_domain", computed: true, replaces: true }),
    subnetId: text({ computed: true, kept: true }),
    subnetIds: list(aString, { kept: true, conflictsWith: ["subnetId"] }),
  },
  identity: (inputs) => ({ description: textOf(inputs, "description") }),
  // without a description any free address of the project would match: nothing is ever adopted then
  isMine: (api, inputs) => textOf(inputs, "description") !== undefined && api.description === inputs.description,
  createBody: async (context, inputs) => ({
    floating_network_id: (await networkNamed(context.session, textOf(inputs, "pool") ?? "", true)).id,
    ...subnetField(inputs),
  }),
  updateBody: ({ inputs, changed }) => (changed.has("portId") ? { port_id: textOf(inputs, "portId") ?? null } : {}),
  readMore: async (api, context, inputs) => ({
    pool: await poolName(context, String(api.floating_network_id), inputs),
  }),
});

/** `openstack_networking_floatingip_v2`: the address; who points it at a port is another matter, and no difference here. */
export const floatingIp: ResourceKind = {
  ...table,
  create: (context, inputs) => withSubnetsInTurn(inputs, "subnetIds", (chosen) => table.create(context, chosen)),
};

function subnetField(inputs: PropertyMap): object {
  const subnetId = textOf(inputs, "subnetId") ?? textsOf(inputs, "subnetIds")[0];
  return subnetId === undefined ? {} : { subnet_id: subnetId };
}

/** The external network's name; the program's word where the network itself is not readable. */
async function poolName({ session }: Context, networkId: string, inputs: PropertyMap): Promise<string> {
  const { body } = await session.request<{ networks: { name: string }[] }>("network", "GET", "/networks", {
    query: { id: networkId },
  });
  return body.networks[0]?.name ?? textOf(inputs, "pool") ?? "";
}
