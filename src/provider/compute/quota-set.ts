import type { PropertyMap } from "../../engine/resource-provider.ts";
import { orMissing } from "../../openstack/missing.ts";
import type { Context, ResourceKind } from "../kind.ts";
import { fromApi, toApi } from "../schema/api-form.ts";
import { integer, type Properties, text } from "../schema/property.ts";
import { textOf } from "../schema/values.ts";

const fields: Record<string, string> = {
  cores: "cores",
  fixedIps: "fixed_ips",
  floatingIps: "floating_ips",
  injectedFileContentBytes: "injected_file_content_bytes",
  injectedFilePathBytes: "injected_file_path_bytes",
  injectedFiles: "injected_files",
  instances: "instances",
  keyPairs: "key_pairs",
  metadataItems: "metadata_items",
  ram: "ram",
  securityGroupRules: "security_group_rules",
  securityGroups: "security_groups",
  serverGroupMembers: "server_group_members",
  serverGroups: "server_groups",
};

const limits: Properties = Object.fromEntries(
  Object.entries(fields).map(([name, field]) => [name, integer({ field, computed: true })]),
);

/** `openstack_compute_quotaset_v2`: a project's limits in Nova; its id is `project/region`. They stay when the resource goes. */
export const quotaSet: ResourceKind = {
  type: "openstack:compute/quotaSetV2:QuotaSetV2",
  autoName: false,
  timeouts: { create: 600, update: 600, delete: 600 },
  properties: {
    region: text({ computed: true, replaces: true }),
    projectId: text({ required: true, replaces: true }),
    ...limits,
  },

  async create(context, inputs) {
    const projectId = textOf(inputs, "projectId") ?? "";
    return { id: `${projectId}/${context.region}`, requestId: await put(context, projectId, toApi(limits, inputs)) };
  },

  async read({ session }, id) {
    const projectId = projectOf(id);
    const path = `/os-quota-sets/${projectId}`;
    const found = await orMissing(() => session.request<{ quota_set: PropertyMap }>("compute", "GET", path));
    return found === undefined ? undefined : { projectId, ...fromApi(limits, found.body.quota_set) };
  },

  async update(context, id, { inputs, changed }) {
    await put(context, projectOf(id), toApi(limits, inputs, changed));
  },

  async delete() {
    // as with the official provider: the limits are the project's, and nobody knows what they were before
  },
};

async function put({ session }: Context, projectId: string, quotas: object): Promise<string | undefined> {
  const body = { quota_set: quotas };
  return (await session.request("compute", "PUT", `/os-quota-sets/${projectId}`, { body })).requestId;
}

/** Ids of older states are the project's alone. */
function projectOf(id: string): string {
  return id.split("/", 1)[0] ?? id;
}
