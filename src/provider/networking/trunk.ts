import type { PropertyMap } from "../../engine/resource-provider.ts";
import { orMissing } from "../../openstack/missing.ts";
import type { Context, ResourceChange, ResourceKind } from "../kind.ts";
import { type ApiObject, fromApi, toApi } from "../schema/api-form.ts";
import { anObject, flag, integer, type Properties, set, text } from "../schema/property.ts";
import { mapsOf, textOf } from "../schema/values.ts";
import { byName, commonProperties, neutronKind, tagProperties } from "./neutron.ts";

const subPortFields: Properties = {
  portId: text({ field: "port_id", required: true }),
  segmentationType: text({ field: "segmentation_type", required: true }),
  segmentationId: integer({ field: "segmentation_id", required: true }),
};

const table = neutronKind({
  type: "openstack:networking/trunk:Trunk",
  path: "trunks",
  collection: "trunks",
  member: "trunk",
  autoName: true,
  timeouts: { create: 300, delete: 300 },
  usable: ["ACTIVE", "DOWN"],
  properties: {
    ...commonProperties,
    ...tagProperties,
    name: text({ field: "name" }),
    description: text({ field: "description" }),
    portId: text({ field: "port_id", required: true, replaces: true }),
    adminStateUp: flag({ field: "admin_state_up" }),
    subPorts: set(anObject(subPortFields)),
  },
  identity: (inputs) => ({ ...byName(inputs), port_id: textOf(inputs, "portId") }),
  createBody: (_, inputs) => ({ sub_ports: subPortsOf(inputs) }),
  readMore: (api, _, inputs) => ({
    // not "computed": what the cloud chose by itself would be a difference with every run
    adminStateUp: inputs.adminStateUp === undefined && api.admin_state_up === true ? null : api.admin_state_up === true,
    subPorts: ((api.sub_ports ?? []) as ApiObject[]).map((one) => fromApi(subPortFields, one)),
  }),
});

/** `openstack_networking_trunk_v2`: a port that carries the networks of its sub-ports. */
export const trunk: ResourceKind = {
  ...table,
  importable: false,

  async update(context, id, change) {
    await table.update?.(context, id, change);
    if (change.changed.has("subPorts")) await changeSubPorts(context, id, change);
  },
};

function subPortsOf(values: PropertyMap): ApiObject[] {
  return mapsOf(values, "subPorts").map((one) => toApi(subPortFields, one));
}

/** Those that go first: a segment that is in use cannot be given anew. */
async function changeSubPorts({ session }: Context, id: string, { olds, inputs }: ResourceChange): Promise<void> {
  const text = (one: ApiObject) => JSON.stringify([one.port_id, one.segmentation_type, one.segmentation_id]);
  const [before, after] = [subPortsOf(olds), subPortsOf(inputs)];
  const gone = before.filter((one) => !after.some((other) => text(other) === text(one)));
  const added = after.filter((one) => !before.some((other) => text(other) === text(one)));
  const put = (action: string, subPorts: ApiObject[]) =>
    session.request("network", "PUT", `/trunks/${id}/${action}`, { body: { sub_ports: subPorts } });
  for (const { port_id } of gone) await orMissing(() => put("remove_subports", [{ port_id }]));
  if (added.length > 0) await put("add_subports", added);
}
