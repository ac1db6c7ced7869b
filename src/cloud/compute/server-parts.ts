import type { FastifyInstance } from "fastify";
import { ApiError } from "../http/api-error.ts";
import type { Port } from "../network/records.ts";
import { securityGroups } from "../network/security-groups.ts";
import type { ComputeContext } from "./context.ts";
import type { Server } from "./records.ts";
import { ownServer } from "./servers.ts";

interface One {
  Params: { id: string };
}

/** What hangs on a server: interfaces, security groups. */
export function serverPartRoutes(app: FastifyInstance, context: ComputeContext): void {
  const { tables } = context;
  const portsOf = (server: Server) => server.nics.flatMap(({ portId }) => tables.ports.get(portId) ?? []);

  app.get<One>("/servers/:id/os-interface", ({ scope, params }) => ({
    interfaceAttachments: portsOf(ownServer(context, scope, params.id)).map(interfaceView),
  }));
  app.get<{ Params: { id: string; port: string } }>("/servers/:id/os-interface/:port", ({ scope, params }) => {
    const port = portsOf(ownServer(context, scope, params.id)).find((item) => item.id === params.port);
    if (port === undefined) throw new ApiError(404, `No interface attachment found for port ${params.port}`);
    return { interfaceAttachment: interfaceView(port) };
  });
  app.post<One>("/servers/:id/os-interface", ({ scope, params }) => {
    ownServer(context, scope, params.id);
    throw new ApiError(501, "This cloud plugs interfaces only when a server is created.");
  });

  app.get<One>("/servers/:id/os-security-groups", ({ scope, params }) => {
    const ids = new Set(portsOf(ownServer(context, scope, params.id)).flatMap((port) => port.securityGroupIds));
    return {
      security_groups: tables.securityGroups
        .list((group) => ids.has(group.id))
        .map((group) => {
          const { id, name, description, tenant_id, security_group_rules } = securityGroups.view(tables, group);
          return { id, name, description, tenant_id, rules: security_group_rules };
        }),
    };
  });

  app.get<One>("/servers/:id/os-instance-actions", ({ scope, params }) => {
    ownServer(context, scope, params.id);
    return { instanceActions: [] };
  });
}

function interfaceView(port: Port): unknown {
  return {
    net_id: port.networkId,
    port_id: port.id,
    mac_addr: port.mac,
    port_state: port.status,
    fixed_ips: port.fixedIps.map((ip) => ({ subnet_id: ip.subnetId, ip_address: ip.ipAddress })),
  };
}
