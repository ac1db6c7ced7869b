import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { booleanLike, parseBody } from "../http/body.ts";
import { isAdmin, owns, type Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import type { Collection } from "../store/store.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import type { Flavor } from "./flavor-records.ts";
import type { ProjectQuota } from "./quota-records.ts";
import type { Server } from "./records.ts";

/** Nova's defaults. RAM in MiB. */
export const quotas = {
  instances: 10,
  cores: 20,
  ram: 51_200,
  metadata_items: 128,
  key_pairs: 100,
  server_groups: 10,
  server_group_members: 10,
  injected_files: 5,
  injected_file_content_bytes: 10_240,
  injected_file_path_bytes: 255,
  // Neutron's by now; Nova says that it has no limit
  fixed_ips: -1,
  floating_ips: -1,
  security_groups: -1,
  security_group_rules: -1,
} as const;

type Limits = Record<keyof typeof quotas, number>;

/** What a project may have. */
export function limitsOf(table: Collection<ProjectQuota>, projectId: string): Limits {
  return { ...quotas, ...table.get(projectId)?.limits };
}

/** What a project's servers use. */
function usage(servers: Collection<Server>, projectId: string): { instances: number; cores: number; ram: number } {
  const own = servers.list((server) => server.projectId === projectId);
  return {
    instances: own.length,
    cores: own.reduce((sum, server) => sum + server.flavor.vcpus, 0),
    ram: own.reduce((sum, server) => sum + server.flavor.ram, 0),
  };
}

/**
 * @param former the flavor of a server that gets another one
 * @throws ApiError 403 where one more server of this flavor, or the larger flavor, is too much for its project
 */
export function demandQuota(
  { servers, quotas: table }: Pick<ComputeContext, "servers" | "quotas">,
  projectId: string,
  flavor: Flavor,
  former?: Flavor,
): void {
  const limits = limitsOf(table, projectId);
  const used = usage(servers, projectId);
  const requested = {
    instances: former === undefined ? 1 : 0,
    cores: flavor.vcpus - (former?.vcpus ?? 0),
    ram: flavor.ram - (former?.ram ?? 0),
  };
  for (const resource of ["instances", "cores", "ram"] as const) {
    if (requested[resource] <= 0) continue;
    if (limits[resource] >= 0 && used[resource] + requested[resource] > limits[resource]) {
      throw nova.quota(resource, requested[resource], used[resource], limits[resource]);
    }
  }
}

const limit = z.coerce.number().int().min(-1).optional();
const updateBody = z.object({
  quota_set: z.strictObject({
    ...(Object.fromEntries(Object.keys(quotas).map((name) => [name, limit])) as Record<
      keyof typeof quotas,
      typeof limit
    >),
    force: booleanLike.optional(),
    tenant_id: z.string().optional(),
  }),
});

/** `/limits` and `/os-quota-sets` */
export function quotaRoutes(app: FastifyInstance, context: ComputeContext): void {
  const { servers, serverGroups, tables, quotas: table, store } = context;
  app.get("/limits", ({ scope }) => {
    const projectId = projectOf(scope).id;
    const used = usage(servers, projectId);
    const limits = limitsOf(table, projectId);
    return {
      limits: {
        rate: [],
        absolute: {
          maxTotalInstances: limits.instances,
          maxTotalCores: limits.cores,
          maxTotalRAMSize: limits.ram,
          maxServerMeta: limits.metadata_items,
          maxTotalKeypairs: limits.key_pairs,
          maxServerGroups: limits.server_groups,
          maxServerGroupMembers: limits.server_group_members,
          maxImageMeta: 128,
          maxPersonality: 5,
          maxPersonalitySize: 10_240,
          maxTotalFloatingIps: -1,
          maxSecurityGroups: -1,
          maxSecurityGroupRules: -1,
          totalInstancesUsed: used.instances,
          totalCoresUsed: used.cores,
          totalRAMUsed: used.ram,
          totalFloatingIpsUsed: tables.floatingIps.list((item) => item.projectId === projectId).length,
          totalSecurityGroupsUsed: tables.securityGroups.list((item) => item.projectId === projectId).length,
          totalServerGroupsUsed: serverGroups.list((item) => item.projectId === projectId).length,
        },
      },
    };
  });

  type OfProject = { Params: { project: string } };
  const visible = (scope: Scope, projectId: string) => {
    if (!owns(scope, projectId)) throw nova.forbidden("os_compute_api:os-quota-sets:show");
  };
  for (const path of ["/os-quota-sets/:project", "/os-quota-sets/:project/defaults"]) {
    app.get<OfProject>(path, ({ scope, params }) => {
      visible(scope, params.project);
      const limits = path.endsWith("defaults") ? quotas : limitsOf(table, params.project);
      return { quota_set: { id: params.project, ...limits } };
    });
  }
  app.put<OfProject>("/os-quota-sets/:project", ({ scope, params, body }) => {
    if (!isAdmin(scope)) throw nova.forbidden("os_compute_api:os-quota-sets:update");
    const { quota_set: asked } = parseBody(updateBody, body);
    const given = Object.entries(asked).filter(([name, value]) => name in quotas && value !== undefined);
    const changed = store.transaction(() =>
      table.put({
        id: params.project,
        limits: { ...table.get(params.project)?.limits, ...(Object.fromEntries(given) as Record<string, number>) },
      }),
    );
    return { quota_set: limitsOf(table, changed.id) };
  });
  app.delete<OfProject>("/os-quota-sets/:project", ({ scope, params }, reply) => {
    if (!isAdmin(scope)) throw nova.forbidden("os_compute_api:os-quota-sets:delete");
    table.delete(params.project);
    return reply.code(202).send();
  });
  app.get<OfProject>("/os-quota-sets/:project/detail", ({ scope, params }) => {
    visible(scope, params.project);
    const used: Record<string, number> = usage(servers, params.project);
    const detail = Object.entries(limitsOf(table, params.project)).map(([name, limit]) => [
      name,
      { limit, in_use: used[name] ?? 0, reserved: 0 },
    ]);
    return { quota_set: { id: params.project, ...Object.fromEntries(detail) } };
  });
}
