import { z } from "zod";
import { booleanLike, parseBody } from "../http/body.ts";
import { owns, type Scope } from "../identity/scope.ts";
import { neutron } from "./errors.ts";
import type { NetworkTables, Port, SubPort, Trunk } from "./records.ts";
import { commonView, type NetworkResource, newRecord, revised } from "./resource.ts";

const subPort = z.strictObject({
  port_id: z.string(),
  segmentation_type: z.literal("vlan"),
  segmentation_id: z.coerce.number().int().min(1).max(4094),
});
const fields = {
  name: z.string().max(255).optional(),
  description: z.string().max(255).optional(),
  admin_state_up: booleanLike.optional(),
};
const createBody = z.strictObject({
  ...fields,
  port_id: z.string(),
  sub_ports: z.array(subPort).optional(),
  tenant_id: z.string().optional(),
  project_id: z.string().optional(),
});
const updateBody = z.strictObject(fields);
const addBody = z.strictObject({ sub_ports: z.array(subPort) });
const removeBody = z.strictObject({ sub_ports: z.array(z.object({ port_id: z.string() })) });

/** `/v2.0/trunks`: a port that carries the networks of others, each under a VLAN number. */
export const trunks: NetworkResource<Trunk> = {
  singular: "trunk",
  path: "trunks",
  quota: 500,
  table: (tables) => tables.trunks,
  notFound: neutron.trunkNotFound,

  view: (tables, trunk) => ({
    id: trunk.id,
    name: trunk.name,
    admin_state_up: trunk.adminStateUp,
    port_id: trunk.portId,
    status: tables.ports.get(trunk.portId)?.status ?? "DOWN",
    sub_ports: trunk.subPorts,
    ...commonView(trunk),
  }),

  create(tables, scope, input) {
    const body = parseBody(createBody, input);
    const parent = freePort(tables, scope, body.port_id);
    if (parent.deviceId !== "") throw neutron.parentPortInUse(parent.id);
    const trunk: Trunk = {
      ...newRecord(scope, body),
      portId: parent.id,
      adminStateUp: body.admin_state_up ?? true,
      subPorts: [],
    };
    return withSubPorts(tables, scope, trunk, body.sub_ports ?? []);
  },

  update(_tables, _scope, trunk, input) {
    const body = parseBody(updateBody, input);
    return revised(trunk, {
      name: body.name ?? trunk.name,
      description: body.description ?? trunk.description,
      adminStateUp: body.admin_state_up ?? trunk.adminStateUp,
    });
  },

  remove(tables, trunk) {
    if (tables.ports.get(trunk.portId)?.deviceId) throw neutron.trunkInUse(trunk.id);
    tables.trunks.delete(trunk.id);
  },
};

/** `PUT /v2.0/trunks/{id}/add_subports` */
export function addSubPorts(tables: NetworkTables, scope: Scope, trunk: Trunk, input: unknown): Trunk {
  if (!trunk.adminStateUp) throw neutron.trunkDisabled(trunk.id);
  const { sub_ports: wanted } = parseBody(addBody, input);
  return revised(withSubPorts(tables, scope, trunk, wanted));
}

/** `PUT /v2.0/trunks/{id}/remove_subports` */
export function removeSubPorts(_tables: NetworkTables, _scope: Scope, trunk: Trunk, input: unknown): Trunk {
  if (!trunk.adminStateUp) throw neutron.trunkDisabled(trunk.id);
  const gone = parseBody(removeBody, input).sub_ports.map((one) => one.port_id);
  const missing = gone.find((id) => !trunk.subPorts.some((one) => one.port_id === id));
  if (missing !== undefined) throw neutron.subPortNotFound(trunk.id, missing);
  return revised(trunk, { subPorts: trunk.subPorts.filter((one) => !gone.includes(one.port_id)) });
}

function withSubPorts(tables: NetworkTables, scope: Scope, trunk: Trunk, wanted: SubPort[]): Trunk {
  const subPorts = [...trunk.subPorts];
  for (const one of wanted) {
    freePort(tables, scope, one.port_id);
    if (isIn({ ...trunk, subPorts }, one.port_id)) throw neutron.trunkPortInUse(one.port_id);
    const taken = subPorts.find((other) => other.segmentation_id === one.segmentation_id);
    if (taken !== undefined) throw neutron.duplicateSubPort(trunk.id, one.segmentation_type, one.segmentation_id);
    subPorts.push(one);
  }
  return { ...trunk, subPorts };
}

/** The port if it is in no trunk. */
function freePort(tables: NetworkTables, scope: Scope, id: string): Port {
  const port = tables.ports.get(id);
  if (port === undefined || !owns(scope, port.projectId)) throw neutron.portNotFound(id);
  if (tables.trunks.find((trunk) => isIn(trunk, id)) !== undefined) throw neutron.trunkPortInUse(id);
  return port;
}

function isIn({ portId, subPorts }: Trunk, id: string): boolean {
  return portId === id || subPorts.some((one) => one.port_id === id);
}
