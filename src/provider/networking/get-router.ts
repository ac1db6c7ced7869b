import { anObject, aString, flag, list, set, text } from "../schema/property.ts";
import { neutronFunction } from "./neutron-function.ts";
import { gatewayState } from "./router.ts";

/** `openstack_networking_router_v2` as a data source. */
export const getRouter = neutronFunction({
  token: "openstack:networking/getRouter:getRouter",
  path: "routers",
  collection: "routers",
  what: "router",
  official: { none: "No Router found", several: "More than one Router found" },
  args: {
    region: text(),
    routerId: text({ field: "id" }),
    name: text({ field: "name" }),
    description: text({ field: "description" }),
    adminStateUp: flag({ field: "admin_state_up" }),
    distributed: flag({ field: "distributed" }),
    enableSnat: flag(),
    status: text({ field: "status" }),
    tenantId: text({ field: "tenant_id" }),
    tags: set(aString),
  },
  results: {
    name: text({ field: "name" }),
    description: text({ field: "description" }),
    adminStateUp: flag({ field: "admin_state_up" }),
    distributed: flag({ field: "distributed" }),
    status: text({ field: "status" }),
    tenantId: text({ field: "tenant_id" }),
    availabilityZoneHints: list(aString, { field: "availability_zone_hints" }),
    externalFixedIps: list(anObject({ ipAddress: text(), subnetId: text() })),
  },
  more(api) {
    const { externalNetworkId, enableSnat, externalFixedIps } = gatewayState(api);
    return { externalNetworkId, enableSnat, externalFixedIps };
  },
});
