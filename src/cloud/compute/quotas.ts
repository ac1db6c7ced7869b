import type { FastifyInstance } from "fastify";
import { owns, type Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import type { NetworkTables } from "../network/records.ts";
import type { Collection } from "../store/store.ts";
import { nova } from "./errors.ts";
import type { Flavor } from "./flavors.ts";
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
} as const;

/** What a project's servers use. */
function usage(servers: Collection<Server>, projectId: string): { instances: number; cores: number; ram: number } {
  const own = servers.list((server) => server.projectId === projectId);
  return {
    instances: own.length,
    cores: own.reduce((sum, server) => sum + server.flavor.vcpus, 0),
    ram: own.reduce((sum, server) => sum + server.flavor.ram, 0),
  };
}

/** @throws ApiError 403 where one more server of this flavor is too much for its project */
export function demandQuota(servers: Collection<Server>, projectId: string, flavor: Flavor): void {
  const used = usage(servers, projectId);
  const requested = { instances: 1, cores: flavor.vcpus, ram: flavor.ram };
  for (const resource of ["instances", "cores", "ram"] as const) {
    if (used[resource] + requested[resource] > quotas[resource]) {
      throw nova.quota(resource, requested[resource], used[resource], quotas[resource]);
    }
  }
}

/** `/limits` and `/os-quota-sets` */
export function quotaRoutes(app: FastifyInstance, servers: Collection<Server>, tables: NetworkTables): void {
  app.get("/limits", ({ scope }) => {
    const projectId = projectOf(scope).id;
    const used = usage(servers, projectId);
    return {
      limits: {
        rate: [],
        absolute: {
          maxTotalInstances: quotas.instances,
          maxTotalCores: quotas.cores,
          maxTotalRAMSize: quotas.ram,
          maxServerMeta: quotas.metadata_items,
          maxTotalKeypairs: quotas.key_pairs,
          maxServerGroups: quotas.server_groups,
          maxServerGroupMembers: quotas.server_group_members,
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
          totalServerGroupsUsed: 0,
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
      return { quota_set: { id: params.project, ...quotas } };
    });
  }
  app.get<OfProject>("/os-quota-sets/:project/detail", ({ scope, params }) => {
    visible(scope, params.project);
    const used: Record<string, number> = usage(servers, params.project);
    const detail = Object.entries(quotas).map(([name, limit]) => [
      name,
      { limit, in_use: used[name] ?? 0, reserved: 0 },
    ]);
    return { quota_set: { id: params.project, ...Object.fromEntries(detail) } };
  });
}
