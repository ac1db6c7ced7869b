import { listAll } from "../../openstack/pages.ts";
import type { ProviderFunction } from "../function.ts";
import { hashOf, isPattern, patternOf } from "../lookup.ts";
import { text } from "../schema/property.ts";
import { textOf } from "../schema/values.ts";
import { subnetFilters } from "./get-subnet.ts";
import { filtersOf } from "./neutron-function.ts";

/** `openstack_networking_subnet_ids_v2` as a data source: all subnets that fit, in the cloud's order. */
export const getSubnetIds: ProviderFunction = {
  token: "openstack:networking/getSubnetIdsV2:getSubnetIdsV2",
  args: {
    ...subnetFilters,
    name: text({ field: "name", conflictsWith: ["nameRegex"] }),
    nameRegex: text({ conflictsWith: ["name"], refuse: isPattern }),
    sortKey: text({ field: "sort_key" }),
    sortDirection: text({ field: "sort_dir", allowed: ["asc", "desc"] }),
  },
  async call(context, args) {
    const query = filtersOf(getSubnetIds.args, args);
    const found = await listAll<{ id: string; name: string }>(context.session, "network", "/subnets", "subnets", query);
    const pattern = patternOf(textOf(args, "nameRegex"));
    const ids = found
      .filter(({ name }) => pattern === undefined || (name !== "" && pattern.test(name)))
      .map(({ id }) => id);
    return { ...args, id: hashOf(ids.join(",")), ids, region: context.region };
  },
};
