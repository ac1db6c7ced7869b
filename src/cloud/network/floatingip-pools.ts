import type { FastifyInstance } from "fastify";
import { projectOf } from "../identity/tokens.ts";
import { attribute } from "./attributes.ts";
import { neutron } from "./errors.ts";
import { type Query, selectPage } from "./filters.ts";
import { networks } from "./networks.ts";
import type { NetworkTables } from "./records.ts";
import { isVisible } from "./resource.ts";

const attributes = {
  subnet_id: attribute<string>("f"),
  subnet_name: attribute<string>("f"),
  tenant_id: attribute<string>("f"),
  network_id: attribute<string>("f"),
  cidr: attribute<string>("f"),
};

/** `/v2.0/floatingip_pools`: the subnets that floating IPs come from. */
export function floatingIpPoolRoutes(app: FastifyInstance, tables: NetworkTables): void {
  app.get<{ Querystring: Query }>("/floatingip_pools", ({ scope, query }) => {
    const own = projectOf(scope).id;
    const views = tables.subnets.list().flatMap((subnet) => {
      const network = tables.networks.get(subnet.networkId);
      if (network === undefined || !network.external || !isVisible(networks, tables, scope, network)) return [];
      const { id, name, cidr } = subnet;
      return { subnet_id: id, subnet_name: name, tenant_id: own, network_id: network.id, cidr, project_id: own };
    });
    return {
      floatingip_pools: selectPage({ views, attributes, query, url: "", notFound: neutron.subnetNotFound }).views,
    };
  });
}
