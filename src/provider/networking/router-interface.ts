import type { PropertyMap } from "../../engine/resource-provider.ts";
import { orMissing } from "../../openstack/missing.ts";
import { findPort, listPorts, type Port } from "../../openstack/network/ports.ts";
import { deleteUnlessGone, untilGone, untilStatus } from "../../openstack/waiting.ts";
import type { Context, ResourceKind } from "../kind.ts";
import { flag, text } from "../schema/property.ts";
import { isWithin } from "../schema/suppress.ts";
import { textOf } from "../schema/values.ts";
import { serially } from "../serial.ts";
import { changeRoutes } from "./router-route.ts";

/** `openstack_networking_router_interface_v2`: the router's port on a subnet; its id is the port's. */
export const routerInterface: ResourceKind = {
  type: "openstack:networking/routerInterface:RouterInterface",
  autoName: false,
  timeouts: { create: 600, delete: 600 },
  properties: {
    region: text({ computed: true, replaces: true }),
    routerId: text({ required: true, replaces: true }),
    subnetId: text({ computed: true, replaces: true }),
    portId: text({ computed: true, replaces: true }),
    forceDestroy: flag({ kept: true, default: false }),
  },

  async create({ session }, inputs) {
    const routerId = textOf(inputs, "routerId") ?? "";
    const made = await serially(`router ${routerId}`, () =>
      session.request<{ port_id: string }>("network", "PUT", `/routers/${routerId}/add_router_interface`, {
        body: interfaceOf(inputs),
        expect: [200],
      }),
    );
    return { id: made.body.port_id, requestId: made.requestId };
  },

  settle: (context, id) =>
    untilStatus(context, `router interface ${id}`, ["ACTIVE", "DOWN"], () => findPort(context.session, id)),

  async read({ session }, id) {
    const port = await findPort(session, id);
    return port === undefined ? undefined : stateOf(port);
  },

  async update() {
    // only forceDestroy can change, and it is ours alone
  },

  async delete(context, id, olds) {
    if ((await findPort(context.session, id)) === undefined) return;
    const routerId = textOf(olds, "routerId") ?? "";
    if (olds.forceDestroy === true) await dropRoutes(context, routerId, textOf(olds, "subnetId") ?? "");
    await serially(`router ${routerId}`, () =>
      deleteUnlessGone(context, () =>
        context.session.request("network", "PUT", `/routers/${routerId}/remove_router_interface`, {
          body: interfaceOf(
            textOf(olds, "subnetId") === undefined ? { portId: id } : { subnetId: olds.subnetId ?? "" },
          ),
        }),
      ),
    );
    await untilGone(context, `router interface ${id}`, () => findPort(context.session, id));
  },

  async candidates({ session }, inputs) {
    const ports = await listPorts(session, { device_id: textOf(inputs, "routerId") });
    const subnetId = textOf(inputs, "subnetId");
    return ports
      .filter((port) => port.id === inputs.portId || port.fixed_ips.some((ip) => ip.subnet_id === subnetId))
      .filter((port) => port.device_owner.startsWith("network:router_interface"))
      .map((port) => ({ id: port.id, createdAt: port.created_at }));
  },
};

function interfaceOf(inputs: PropertyMap): object {
  const [subnetId, portId] = [textOf(inputs, "subnetId"), textOf(inputs, "portId")];
  return subnetId === undefined ? { port_id: portId } : { subnet_id: subnetId };
}

function stateOf(port: Port): PropertyMap {
  const only = port.fixed_ips.length === 1 ? port.fixed_ips[0] : undefined;
  return { routerId: port.device_id, portId: port.id, subnetId: only?.subnet_id ?? "" };
}

/** A router keeps an interface that a route leads through; routes through its others stay. */
async function dropRoutes(context: Context, routerId: string, subnetId: string): Promise<void> {
  const path = `/subnets/${subnetId}`;
  const subnet = await orMissing(() => context.session.request<{ subnet: { cidr: string } }>("network", "GET", path));
  const cidr = subnet?.body.subnet.cidr;
  if (cidr === undefined) return;
  await changeRoutes(context, routerId, (routes) => routes.filter(({ nexthop }) => !isWithin(cidr, nexthop)));
}
