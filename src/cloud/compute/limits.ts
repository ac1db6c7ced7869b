import type { FastifyInstance } from "fastify";
import { projectOf } from "../identity/tokens.ts";
import { demandAdmin } from "./action.ts";
import type { ComputeContext } from "./context.ts";
import { firstOf, type Query } from "./paging.ts";
import { limitsOf, type QuotaName, usage } from "./quota-limits.ts";

/** `/limits`: what a project may have and what it has, under names of its own. */
export function limitRoutes(app: FastifyInstance, context: ComputeContext): void {
  const { servers, serverGroups, quotas } = context;
  app.get<{ Querystring: Query }>("/limits", ({ scope, query, microversion }) => {
    const other = firstOf(query.tenant_id);
    if (other !== undefined) demandAdmin(scope, "os_compute_api:limits:other_project");
    const projectId = other ?? projectOf(scope).id;
    const limits = limitsOf(quotas, projectId);
    const used = usage(servers, projectId);
    const until = (last: number, fields: Record<string, unknown>) => (microversion <= last ? fields : {});
    const most = (name: QuotaName) => limits[name];
    return {
      limits: {
        rate: [],
        absolute: {
          maxTotalInstances: most("instances"),
          maxTotalCores: most("cores"),
          maxTotalRAMSize: most("ram"),
          maxServerMeta: most("metadata_items"),
          ...until(38, { maxImageMeta: most("metadata_items") }),
          ...until(56, {
            maxPersonality: most("injected_files"),
            maxPersonalitySize: most("injected_file_content_bytes"),
          }),
          maxTotalKeypairs: most("key_pairs"),
          maxServerGroups: most("server_groups"),
          maxServerGroupMembers: most("server_group_members"),
          ...until(35, {
            maxTotalFloatingIps: most("floating_ips"),
            maxSecurityGroups: most("security_groups"),
            maxSecurityGroupRules: most("security_group_rules"),
          }),
          totalRAMUsed: used.ram,
          totalCoresUsed: used.cores,
          totalInstancesUsed: used.instances,
          ...until(35, { totalFloatingIpsUsed: 0, totalSecurityGroupsUsed: 0 }),
          totalServerGroupsUsed: serverGroups.list((group) => group.projectId === projectId).length,
        },
      },
    };
  });
}
