import type { PropertyMap } from "../../engine/resource-provider.ts";
import { orMissing } from "../../openstack/missing.ts";
import { deleteUnlessGone, type Observed, untilGone, untilStatus } from "../../openstack/waiting.ts";
import type { Context, ResourceKind } from "../kind.ts";
import { text } from "../schema/property.ts";
import { textOf } from "../schema/values.ts";
import { partsOf } from "./attachment-id.ts";

interface Attachment {
  port_id: string;
  net_id: string;
  fixed_ips: { ip_address: string }[];
}

/** `openstack_compute_interface_attach_v2`: one more interface of a server; its id is `server/port`. */
export const interfaceAttach: ResourceKind = {
  type: "openstack:compute/interfaceAttach:InterfaceAttach",
  autoName: false,
  timeouts: { create: 600, delete: 600 },
  properties: {
    region: text({ computed: true, replaces: true }),
    instanceId: text({ required: true, replaces: true }),
    portId: text({ computed: true, replaces: true, conflictsWith: ["networkId"] }),
    networkId: text({ computed: true, replaces: true, conflictsWith: ["portId"] }),
    fixedIp: text({ computed: true, replaces: true, conflictsWith: ["portId"] }),
  },

  async create({ session }, inputs) {
    const instanceId = textOf(inputs, "instanceId") ?? "";
    const made = await session.request<{ interfaceAttachment: Attachment }>(
      "compute",
      "POST",
      `/servers/${instanceId}/os-interface`,
      { body: { interfaceAttachment: interfaceOf(inputs) } },
    );
    return { id: `${instanceId}/${made.body.interfaceAttachment.port_id}`, requestId: made.requestId };
  },

  settle: (context, id) => untilStatus(context, `the interface ${id}`, ["attached"], () => observe(context, id)),

  async read(context, id) {
    const found = await show(context, id);
    if (found === undefined) return undefined;
    return {
      instanceId: partsOf(id).serverId,
      portId: found.port_id,
      networkId: found.net_id,
      fixedIp: found.fixed_ips[0]?.ip_address ?? "",
    };
  },

  delete: detachInterface,

  /** A port is in one place: where the program's port is on the program's server, we have put it there. */
  async candidates(context, inputs) {
    const portId = textOf(inputs, "portId");
    const id = `${textOf(inputs, "instanceId")}/${portId}`;
    if (portId === undefined || (await show(context, id)) === undefined) return [];
    return [{ id, createdAt: new Date().toISOString() }];
  },
};

/** The server has the port no more when this returns. @param id `server/port` */
export async function detachInterface(context: Context, id: string): Promise<void> {
  // 400: on its way in or out
  await deleteUnlessGone(context, () => context.session.request("compute", "DELETE", pathOf(id)), [400, 409]);
  await untilGone(context, `the interface ${id}`, () => observe(context, id));
}

function interfaceOf(inputs: PropertyMap): object {
  const portId = textOf(inputs, "portId");
  const address = textOf(inputs, "fixedIp");
  if (portId !== undefined) return { port_id: portId };
  return { net_id: inputs.networkId, ...(address === undefined ? {} : { fixed_ips: [{ ip_address: address }] }) };
}

function pathOf(id: string): string {
  const { serverId, part } = partsOf(id);
  return `/servers/${serverId}/os-interface/${part}`;
}

async function show({ session }: Context, id: string): Promise<Attachment | undefined> {
  const found = await orMissing(() =>
    session.request<{ interfaceAttachment: Attachment }>("compute", "GET", pathOf(id)),
  );
  return found?.body.interfaceAttachment;
}

async function observe(context: Context, id: string): Promise<Observed | undefined> {
  return (await show(context, id)) === undefined ? undefined : { status: "attached" };
}
