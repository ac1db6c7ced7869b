import type { PropertyMap } from "../../engine/resource-provider.ts";
import { orMissing } from "../../openstack/missing.ts";
import { type FloatingIp, findFloatingIp, listFloatingIps } from "../../openstack/network/floating-ips.ts";
import type { Context, ResourceKind } from "../kind.ts";
import { exactlyOne } from "../lookup.ts";
import { text } from "../schema/property.ts";
import { textOf } from "../schema/values.ts";

/** `openstack_networking_floatingip_associate_v2`: where a floating IP leads; its id is the floating IP's. */
export const floatingIpAssociate: ResourceKind = {
  type: "openstack:networking/floatingIpAssociate:FloatingIpAssociate",
  autoName: false,
  timeouts: {},
  properties: {
    region: text({ computed: true, replaces: true }),
    floatingIp: text({ required: true, replaces: true }),
    portId: text({ required: true }),
    fixedIp: text({ computed: true }),
  },

  async create(context, inputs) {
    const { id } = await addressOf(context, textOf(inputs, "floatingIp") ?? "");
    return { id, requestId: await point(context, id, inputs) };
  },

  async read({ session }, id) {
    const found = await findFloatingIp(session, id);
    if (found === undefined) return undefined;
    return {
      floatingIp: found.floating_ip_address,
      portId: found.port_id ?? "",
      fixedIp: found.fixed_ip_address ?? "",
    };
  },

  async update(context, id, { inputs }) {
    await point(context, id, inputs);
  },

  /** An address that is gone leads nowhere: the official provider fails there. */
  async delete(context, id) {
    await orMissing(() => point(context, id, {}));
  },

  async candidates({ session }, inputs) {
    const portId = textOf(inputs, "portId");
    const found = await listFloatingIps(session, { floating_ip_address: textOf(inputs, "floatingIp") });
    // pointing it there once more does no harm, so whoever pointed it there is us
    return found
      .filter((one) => portId !== undefined && one.port_id === portId)
      .map(({ id }) => ({ id, createdAt: new Date().toISOString() }));
  },
};

async function point({ session }: Context, id: string, inputs: PropertyMap): Promise<string | undefined> {
  const fixedIp = textOf(inputs, "fixedIp");
  const answer = await session.request("network", "PUT", `/floatingips/${id}`, {
    body: {
      floatingip: {
        port_id: textOf(inputs, "portId") ?? null,
        ...(fixedIp === undefined ? {} : { fixed_ip_address: fixedIp }),
      },
    },
  });
  return answer.requestId;
}

async function addressOf({ session }: Context, address: string): Promise<FloatingIp> {
  return exactlyOne({
    what: "floating IP",
    asked: address,
    found: await listFloatingIps(session, { floating_ip_address: address }),
    describe: (one) => `${one.floating_ip_address} (${one.id})`,
    others: () => listFloatingIps(session),
  });
}
