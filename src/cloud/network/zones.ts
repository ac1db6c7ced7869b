import type { FastifyInstance } from "fastify";
import { attribute } from "./attributes.ts";
import { neutron } from "./errors.ts";
import { type Query, selectPage } from "./filters.ts";

/** The one availability zone. */
export const zone = "nova";

/** Neutron checks hints against the zones that there are. @throws ApiError 404 */
export function demandZones(hints: string[] | undefined): string[] {
  const unknown = hints?.find((hint) => hint !== zone);
  if (unknown !== undefined) throw neutron.zoneNotFound(unknown);
  return hints ?? [];
}

const attributes = {
  state: attribute<string>("f"),
  name: attribute<string>("f"),
  resource: attribute<string>("f"),
};

/** `/v2.0/availability_zones` */
export function zoneRoutes(app: FastifyInstance): void {
  app.get<{ Querystring: Query }>("/availability_zones", ({ query }) => {
    const views = ["router", "network"].map((resource) => ({ state: "available", name: zone, resource }));
    return {
      availability_zones: selectPage({ views, attributes, query, url: "", notFound: neutron.zoneNotFound }).views,
    };
  });
}
