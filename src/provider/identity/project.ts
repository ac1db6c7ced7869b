import type { ResourceKind } from "../kind.ts";
import { aString, flag, set, text } from "../schema/property.ts";
import { keystoneKind } from "./keystone.ts";

/** `openstack_identity_project_v3` */
export const project: ResourceKind = keystoneKind({
  type: "openstack:identity/project:Project",
  path: "projects",
  member: "project",
  properties: {
    region: text({ computed: true, replaces: true }),
    name: text({ field: "name" }),
    description: text({ field: "description" }),
    domainId: text({ field: "domain_id", computed: true, replaces: true }),
    enabled: flag({ field: "enabled", default: true }),
    isDomain: flag({ field: "is_domain", replaces: true, default: false }),
    parentId: text({ field: "parent_id", computed: true, replaces: true }),
    tags: set(aString, { field: "tags" }),
  },
});
