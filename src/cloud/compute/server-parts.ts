import type { FastifyInstance } from "fastify";
import { securityGroups } from "../network/security-groups.ts";
import type { ComputeContext } from "./context.ts";
import type { Server } from "./records.ts";
import { ownServer } from "./servers.ts";

interface One {
  Params: { id: string };
}

/** What hangs on a server: security groups, actions. */
export function serverPartRoutes(app: FastifyInstance, context: ComputeContext): void {
  const { tables } = context;
  const portsOf = (server: Server) => server.nics.flatMap(({ portId }) => tables.ports.get(portId) ?? []);

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
