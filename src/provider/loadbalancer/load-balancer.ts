import type { PropertyMap } from "../../engine/resource-provider.ts";
import { findPort } from "../../openstack/network/ports.ts";
import type { Context, ResourceKind } from "../kind.ts";
import { aString, set, text } from "../schema/property.ts";
import { textOf, textsOf } from "../schema/values.ts";
import { showOctavia } from "./mutable.ts";
import { commonProperties, octaviaKind } from "./octavia.ts";

const table = octaviaKind({
  type: "openstack:loadbalancer/loadBalancer:LoadBalancer",
  path: () => "/loadbalancers",
  member: "loadbalancer",
  collection: "loadbalancers",
  timeouts: { create: 600, update: 600, delete: 300 },
  properties: {
    ...commonProperties,
    description: text({ field: "description" }),
    vipNetworkId: text({ field: "vip_network_id", computed: true, replaces: true }),
    vipSubnetId: text({ field: "vip_subnet_id", computed: true, replaces: true }),
    vipPortId: text({ field: "vip_port_id", computed: true, replaces: true }),
    vipAddress: text({ field: "vip_address", computed: true, replaces: true }),
    flavorId: text({ field: "flavor_id", computed: true, replaces: true }),
    loadbalancerProvider: text({ field: "provider", computed: true, replaces: true }),
    availabilityZone: text({ field: "availability_zone", replaces: true }),
    securityGroupIds: set(aString, { computed: true }),
    tags: set(aString, { field: "tags" }),
  },
  way: () => ({}),
  isMine: (api, inputs) =>
    ["vip_subnet_id", "vip_network_id", "vip_port_id"].some((field, index) => {
      const given = textOf(inputs, ["vipSubnetId", "vipNetworkId", "vipPortId"][index] ?? "");
      return given !== undefined && api[field] === given;
    }),
  readMore: async (api, { session }) => {
    const port = await findPort(session, String(api.vip_port_id));
    return { securityGroupIds: [...(port?.security_groups ?? [])].sort() };
  },
});

/** `openstack_lb_loadbalancer_v2`; its security groups are those of the port that has its address. */
export const loadBalancer: ResourceKind = {
  ...table,
  async settle(context, id, inputs, olds) {
    await table.settle?.(context, id, inputs, olds);
    await ensureGroups(context, id, inputs);
  },
};

async function ensureGroups(context: Context, id: string, inputs: PropertyMap): Promise<void> {
  const wanted = textsOf(inputs, "securityGroupIds");
  if (wanted.length === 0) return;
  const portId = (await showOctavia(context, `/loadbalancers/${id}`, "loadbalancer"))?.vip_port_id;
  const present = (await findPort(context.session, String(portId)))?.security_groups ?? [];
  if (present.length === wanted.length && wanted.every((group) => present.includes(group))) return;
  await context.session.request("network", "PUT", `/ports/${portId}`, { body: { port: { security_groups: wanted } } });
}
