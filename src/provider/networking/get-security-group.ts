import { aString, set, text } from "../schema/property.ts";
import { neutronFunction } from "./neutron-function.ts";

/** `openstack_networking_secgroup_v2` as a data source. */
export const getSecurityGroup = neutronFunction({
  token: "openstack:networking/getSecGroup:getSecGroup",
  path: "security-groups",
  collection: "security_groups",
  what: "security group",
  official: {
    none: "No Security Group found with name",
    several: "More than one Security Group found with name",
  },
  args: {
    region: text(),
    secgroupId: text({ field: "id" }),
    name: text({ field: "name" }),
    description: text({ field: "description" }),
    tenantId: text({ field: "tenant_id" }),
    tags: set(aString),
  },
  results: {
    name: text({ field: "name" }),
    description: text({ field: "description" }),
    tenantId: text({ field: "tenant_id" }),
  },
});
