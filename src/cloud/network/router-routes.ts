import { neutron } from "./errors.ts";
import type { NetworkTables, Router } from "./records.ts";
import { revised } from "./resource.ts";
import { demandReachable } from "./routers.ts";
import { hostRoutes, isObject, normalRoutes } from "./validators.ts";

const keyOf = ({ destination, nexthop }: Router["routes"][number]) => `${destination} ${nexthop}`;

/** `PUT /v2.0/routers/{id}/add_extraroutes`: what is there already stays. @throws ApiError 400 */
export function addRoutes(tables: NetworkTables, router: Router, input: unknown): Router {
  const wanted = readRoutes(input);
  const there = new Set(router.routes.map(keyOf));
  const routes = [...router.routes, ...wanted.filter((route) => !there.has(keyOf(route)))];
  demandReachable(tables, router, routes);
  return revised(router, { routes });
}

/** `PUT /v2.0/routers/{id}/remove_extraroutes`: what is not there is none. @throws ApiError 400 */
export function removeRoutes(_tables: NetworkTables, router: Router, input: unknown): Router {
  const unwanted = new Set(readRoutes(input).map(keyOf));
  return revised(router, { routes: router.routes.filter((route) => !unwanted.has(keyOf(route))) });
}

function readRoutes(input: unknown): Router["routes"] {
  const router = isObject(input) ? input.router : undefined;
  const routes = isObject(router) ? router.routes : undefined;
  const fault = hostRoutes(routes);
  if (fault !== undefined) throw neutron.badRequest(`Invalid input for routes. Reason: ${fault}.`);
  return normalRoutes(routes as Router["routes"]);
}
