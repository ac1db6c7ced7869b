import type { PropertyMap } from "../../engine/resource-provider.ts";
import { orMissing } from "../../openstack/missing.ts";
import { listAll } from "../../openstack/pages.ts";
import { untilStatus } from "../../openstack/waiting.ts";
import type { Context, ResourceKind } from "../kind.ts";
import { type ApiObject, fromApi, toApi } from "../schema/api-form.ts";
import { flag, integer, object, type Properties, set, text } from "../schema/property.ts";
import { isZero, mapsOf, textOf } from "../schema/values.ts";
import { refuseUnlessPort, refuseUnlessWeight } from "./member.ts";
import { showOctavia, whenMutable } from "./mutable.ts";
import { observed, tenMinutes } from "./octavia.ts";

const fields: Properties = {
  id: text({ field: "id", output: true, computed: true }),
  name: text({ field: "name" }),
  address: text({ field: "address", required: true }),
  protocolPort: integer({ field: "protocol_port", required: true, refuse: refuseUnlessPort }),
  subnetId: text({ field: "subnet_id" }),
  weight: integer({ field: "weight", default: 1, refuse: refuseUnlessWeight }),
  adminStateUp: flag({ field: "admin_state_up", default: true }),
  backup: flag({ field: "backup" }),
  monitorAddress: text({ field: "monitor_address" }),
  monitorPort: integer({ field: "monitor_port", refuse: refuseUnlessPort }),
};

/** `openstack_lb_members_v2`: all members of a pool at once; its id is the pool's. Who is not named leaves the pool. */
export const members: ResourceKind = {
  type: "openstack:loadbalancer/members:Members",
  autoName: false,
  timeouts: tenMinutes,
  properties: {
    region: text({ computed: true, replaces: true }),
    poolId: text({ required: true, replaces: true }),
    members: set(object(fields).shape),
  },

  async create(context, inputs) {
    const id = textOf(inputs, "poolId") ?? "";
    await replaceAll(context, id, mapsOf(inputs, "members"));
    return { id };
  },

  settle: (context, id) =>
    untilStatus(context, `pool ${id}`, ["ACTIVE"], async () =>
      observed(await showOctavia(context, `/pools/${id}`, "pool")),
    ),

  async read({ session }, id) {
    const path = `/lbaas/pools/${id}/members`;
    const found = await orMissing(() => listAll<ApiObject>(session, "load-balancer", path, "members"));
    return found && { poolId: id, members: found.map((api) => fromApi(fields, api)) };
  },

  update: (context, id, { inputs }) => replaceAll(context, id, mapsOf(inputs, "members")),

  async delete(context, id) {
    await orMissing(() => replaceAll(context, id, []));
    // a pool that is gone meanwhile has no members either
    await untilStatus(context, `pool ${id}`, ["ACTIVE", "gone"], async () =>
      observed((await showOctavia(context, `/pools/${id}`, "pool")) ?? { provisioning_status: "gone" }),
    );
  },
};

/** One call that makes, changes and removes; the answer has no body. */
async function replaceAll(context: Context, poolId: string, wanted: PropertyMap[]): Promise<void> {
  const body = { members: wanted.map(memberBody) };
  await whenMutable(context, { pools: poolId }, () =>
    context.session.request("load-balancer", "PUT", `/lbaas/pools/${poolId}/members`, { body, expect: [202] }),
  );
}

function memberBody(member: PropertyMap): ApiObject {
  const given = Object.entries(member).filter(
    ([name, value]) => typeof value === "boolean" || name === "weight" || !isZero(value),
  );
  return toApi(fields, Object.fromEntries(given));
}
