import { z } from "zod";
import { parseBody } from "../http/body.ts";
import { owns, type Scope } from "../identity/scope.ts";
import { attribute, standardAttributes } from "./attributes.ts";
import { neutron } from "./errors.ts";
import type { NetworkTables, Port, SubPort, Trunk } from "./records.ts";
import { commonView, type NetworkResource, newRecord, revised } from "./resource.ts";
import { text, toBoolean, uuid } from "./validators.ts";

const subPort = z.strictObject({
  port_id: z.string(),
  segmentation_type: z.literal("vlan"),
  segmentation_id: z.coerce.number().int().min(1).max(4094),
});
const addBody = z.strictObject({ sub_ports: z.array(subPort) });
const removeBody = z.strictObject({ sub_ports: z.array(z.object({ port_id: z.string() })) });

const attributes = {
  ...standardAttributes,
  name: attribute<string>("cufs", { validate: text(255) }),
  admin_state_up: attribute<boolean>("cufs", { convert: toBoolean }),
  status: attribute<string>("fs"),
  port_id: attribute<string>("crfs", { validate: uuid }),
  sub_ports: attribute<SubPort[]>("c", { convert: (value) => parseBody(z.array(subPort), value) }),
};

/** `/v2.0/trunks`: a port that carries the networks of others, each under a VLAN number. */
export const trunks: NetworkResource<Trunk, typeof attributes> = {
  singular: "trunk",
  path: "trunks",
  quota: 500,
  attributes,
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

  create(tables, scope, body) {
    const parent = freePort(tables, scope, body.port_id ?? "");
    if (parent.deviceId !== "") throw neutron.parentPortInUse(parent.id);
    const trunk: Trunk = {
      ...newRecord(scope, body),
      portId: parent.id,
      adminStateUp: body.admin_state_up ?? true,
      subPorts: [],
    };
    return withSubPorts(tables, scope, trunk, body.sub_ports ?? []);
  },

  update(_tables, _scope, trunk, body) {
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
