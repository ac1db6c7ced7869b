import { orMissing } from "../../openstack/missing.ts";
import type { Context, ResourceKind } from "../kind.ts";
import { flag, text } from "../schema/property.ts";
import { byName, commonProperties, neutronKind, tagProperties } from "./neutron.ts";

/** `openstack_networking_secgroup_v2`. Its rules are resources of their own. */
export const securityGroup: ResourceKind = neutronKind({
  type: "openstack:networking/secGroup:SecGroup",
  path: "security-groups",
  collection: "security_groups",
  member: "security_group",
  autoName: true,
  timeouts: { delete: 600 },
  properties: {
    ...commonProperties,
    ...tagProperties,
    name: text({ field: "name" }),
    description: text({ field: "description", computed: true }),
    deleteDefaultRules: flag({ kept: true, replaces: true }),
  },
  identity: byName,
  prepare: async (context, id, inputs) => {
    if (inputs.deleteDefaultRules === true) await dropDefaultRules(context, id);
  },
});

interface Rule {
  id: string;
  direction: string;
  protocol: string | null;
  remote_ip_prefix: string | null;
  remote_group_id: string | null;
  description: string | null;
}

/**
 * Deletes the "everything may leave" rules that Neutron gives every new group. It runs before any rule of the program can
 * exist, again where the create was interrupted; only rules that look like Neutron's own go.
 */
async function dropDefaultRules({ session }: Context, groupId: string): Promise<void> {
  const path = `/security-groups/${groupId}`;
  const group = await session.request<{ security_group: { security_group_rules: Rule[] } }>("network", "GET", path);
  for (const rule of group.body.security_group.security_group_rules) {
    if (!isDefault(rule)) continue;
    await orMissing(() => session.request("network", "DELETE", `/security-group-rules/${rule.id}`));
  }
}

function isDefault(rule: Rule): boolean {
  const unrestricted = rule.protocol === null && rule.remote_ip_prefix === null && rule.remote_group_id === null;
  return rule.direction === "egress" && unrestricted && (rule.description ?? "") === "";
}
