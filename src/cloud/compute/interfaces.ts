import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { parseSchema } from "../http/json-schema-words.ts";
import { removePort, setPortsStatus, unbindPort } from "../network/ports.ts";
import type { Port } from "../network/records.ts";
import { demand } from "./action.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import { actionTable, noteAction } from "./instance-actions.ts";
import type { Server, VmState } from "./records.ts";
import { ipAddress, since, tagSchema, uuid } from "./schema-types.ts";
import { plugNics } from "./server-nics.ts";
import { portsOf } from "./server-ports.ts";
import { ownServer } from "./servers.ts";

const createBody = (microversion: number) =>
  z.strictObject({
    interfaceAttachment: z.strictObject({
      net_id: uuid.optional(),
      port_id: uuid.optional(),
      fixed_ips: z
        .array(z.strictObject({ ip_address: ipAddress }))
        .min(1)
        .max(1)
        .optional(),
      tag: since(microversion, 49, tagSchema),
    }),
  });

const states: VmState[] = ["active", "paused", "stopped"];

interface One {
  Params: { id: string };
}
interface OnePort {
  Params: { id: string; port: string };
}

/** `/servers/{id}/os-interface` */
export function interfaceRoutes(app: FastifyInstance, context: ComputeContext): void {
  const { store, servers, tables, lifecycle, reconcile } = context;
  const path = "/servers/:id/os-interface";
  const portOf = (serverId: string, id: string): Port => {
    const port = tables.ports.get(id);
    if (port === undefined) throw new ApiError(404, `Port id ${id} could not be found.`);
    if (port.device?.id === serverId) return port;
    throw new ApiError(404, `Instance ${serverId} does not have a port with id ${id}`);
  };

  app.get<One>(path, ({ scope, params, microversion }) => {
    const server = ownServer(context, scope, params.id);
    return { interfaceAttachments: portsOf(tables, server).map((port) => attachmentView(server, port, microversion)) };
  });
  app.get<OnePort>(`${path}/:port`, ({ scope, params, microversion }) => {
    const server = ownServer(context, scope, params.id);
    return { interfaceAttachment: attachmentView(server, portOf(server.id, params.port), microversion) };
  });

  app.post<One>(path, async ({ scope, params, body, microversion, id: requestId }) => {
    const isEmpty = body === undefined || JSON.stringify(body) === "{}";
    const given = isEmpty ? { interfaceAttachment: {} } : body;
    const { interfaceAttachment: asked } = parseSchema(createBody(microversion), given);
    if (asked.net_id !== undefined && asked.port_id !== undefined) {
      throw nova.badRequest("Must not input both network_id and port_id");
    }
    const address = asked.fixed_ips?.[0]?.ip_address;
    if (address !== undefined && asked.net_id === undefined) {
      throw nova.badRequest("Must input network_id when request IP address");
    }
    const port = store.transaction(() => {
      const server = ownServer(context, scope, params.id);
      demand({ server, scope }, "attach_interface", { states });
      if (asked.port_id !== undefined && tables.ports.get(asked.port_id) === undefined) {
        throw new ApiError(404, `Port id ${asked.port_id} could not be found.`);
      }
      const wanted = { uuid: asked.net_id, port: asked.port_id, fixed_ip: address, tag: asked.tag };
      const named = asked.net_id !== undefined || asked.port_id !== undefined;
      const [nic] = plugNics(tables, scope, server.id, named ? [wanted] : undefined, undefined);
      if (nic === undefined)
        throw nova.badRequest(
          `No specific network was requested and none are available for project '${server.projectId}'.`,
        );
      noteAction(actionTable(store), server.id, { scope, requestId }, "attach_interface");
      servers.patch(server.id, { nics: [...server.nics, nic] });
      if (server.vmState === "active") setPortsStatus(tables, server.id, "ACTIVE");
      return portOf(server.id, nic.portId);
    });
    await reconcile();
    return { interfaceAttachment: attachmentView(ownServer(context, scope, params.id), port, microversion) };
  });

  app.delete<OnePort>(`${path}/:port`, async ({ scope, params, id: requestId }, reply) => {
    store.transaction(() => {
      const server = ownServer(context, scope, params.id);
      demand({ server, scope }, "detach_interface", { states });
      const port = portOf(server.id, params.port);
      noteAction(actionTable(store), server.id, { scope, requestId }, "detach_interface");
      const nic = server.nics.find(({ portId }) => portId === port.id);
      if (nic?.made) removePort(tables, port);
      else unbindPort(tables, port);
      servers.patch(server.id, { nics: server.nics.filter((one) => one !== nic) });
    });
    await reconcile();
    lifecycle.unplugNic(params.id, params.port);
    return reply.code(202).send();
  });
}

function attachmentView(server: Server, port: Port, microversion: number): Record<string, unknown> {
  return {
    net_id: port.networkId,
    port_id: port.id,
    mac_addr: port.mac,
    port_state: port.status,
    fixed_ips: port.fixedIps.map((ip) => ({ subnet_id: ip.subnetId, ip_address: ip.ipAddress })),
    ...(microversion >= 70 ? { tag: server.nics.find(({ portId }) => portId === port.id)?.tag ?? null } : {}),
  };
}
