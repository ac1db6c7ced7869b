import type { FastifyInstance } from "fastify";
import { attribute } from "./attributes.ts";
import { neutron } from "./errors.ts";
import { type Query, selectPage } from "./filters.ts";

const attributes = {
  service_type: attribute<string>("f"),
  name: attribute<string>("f"),
  default: attribute<boolean>("f"),
};

/** Of Neutron's ways to make a router the one that one host has. */
const views = [{ service_type: "L3_ROUTER_NAT", name: "single_node", default: false }];

/** `/v2.0/service-providers` */
export function serviceProviderRoutes(app: FastifyInstance): void {
  app.get<{ Querystring: Query }>("/service-providers", ({ query }) => ({
    service_providers: selectPage({ views, attributes, query, url: "", notFound: neutron.notSupported }).views,
  }));
}
