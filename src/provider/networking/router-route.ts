import type { PropertyMap } from "../../engine/resource-provider.ts";
import { orMissing } from "../../openstack/missing.ts";
import type { Context, ResourceKind } from "../kind.ts";
import { text } from "../schema/property.ts";
import { refuseUnlessCidr } from "../schema/suppress.ts";
import { textOf } from "../schema/values.ts";
import { serially } from "../serial.ts";

/** A route as Neutron has it. */
interface Route {
  destination: string;
  nexthop: string;
}

/** `openstack_networking_router_route_v2`: one line of a router's routes; its id is `router-route-destination-nexthop`. */
export const routerRoute: ResourceKind = {
  type: "openstack:networking/routerRoute:RouterRoute",
  autoName: false,
  timeouts: {},
  properties: {
    region: text({ computed: true, replaces: true }),
    routerId: text({ required: true, replaces: true }),
    destinationCidr: text({ required: true, replaces: true, refuse: refuseUnlessCidr }),
    nextHop: text({ required: true, replaces: true }),
  },

  async create(context, inputs) {
    const routerId = textOf(inputs, "routerId") ?? "";
    const route = routeOf(inputs);
    const requestId = await changeRoutes(context, routerId, (routes) =>
      routes.some((one) => isSame(one, route)) ? routes : [...routes, route],
    );
    return { id: `${routerId}-route-${route.destination}-${route.nexthop}`, requestId };
  },

  async read(context, id) {
    const { routerId, route } = partsOfId(id);
    const routes = await routesOf(context, routerId);
    if (routes?.some((one) => isSame(one, route)) !== true) return undefined;
    return { routerId, destinationCidr: route.destination, nextHop: route.nexthop };
  },

  async delete(context, id) {
    const { routerId, route } = partsOfId(id);
    await changeRoutes(context, routerId, (routes) => routes.filter((one) => !isSame(one, route)));
  },
};

function routeOf(inputs: PropertyMap): Route {
  return { destination: textOf(inputs, "destinationCidr") ?? "", nexthop: textOf(inputs, "nextHop") ?? "" };
}

function isSame(one: Route, other: Route): boolean {
  return one.destination === other.destination && one.nexthop === other.nexthop;
}

function partsOfId(id: string): { routerId: string; route: Route } {
  const [routerId = "", rest = ""] = id.split("-route-", 2);
  const dash = rest.indexOf("-");
  return { routerId, route: { destination: rest.slice(0, dash), nexthop: rest.slice(dash + 1) } };
}

/** The router's routes; undefined where there is no router. */
async function routesOf({ session }: Context, routerId: string): Promise<Route[] | undefined> {
  const path = `/routers/${routerId}`;
  const found = await orMissing(() => session.request<{ router: { routes: Route[] } }>("network", "GET", path));
  return found?.body.router.routes;
}

/**
 * Neutron takes a router's routes as a whole, so changes of one router follow one another.
 * @returns the request's id; undefined where there was nothing to change, or no router
 */
export function changeRoutes(
  context: Context,
  routerId: string,
  change: (routes: Route[]) => Route[],
): Promise<string | undefined> {
  return serially(`router ${routerId}`, async () => {
    const before = await routesOf(context, routerId);
    if (before === undefined) return undefined;
    const routes = change(before);
    if (routes.length === before.length) return undefined;
    const body = { router: { routes } };
    return (await context.session.request("network", "PUT", `/routers/${routerId}`, { body })).requestId;
  });
}
