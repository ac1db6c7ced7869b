import type { FastifyInstance } from "fastify";
import { answerFaults, keystoneBody } from "../http/faults.ts";
import { isAdmin, type Scope } from "../identity/scope.ts";
import { requireToken, type Tokens } from "../identity/tokens.ts";
import type { BalancerContext } from "./context.ts";
import { octavia } from "./errors.ts";
import { healthMonitorRoutes } from "./health-monitors.ts";
import { listenerRoutes } from "./listeners.ts";
import { loadBalancerRoutes } from "./load-balancers.ts";
import { memberRoutes } from "./members.ts";
import { poolRoutes } from "./pools.ts";
import { quotaRoutes } from "./quotas.ts";

export interface LoadBalancerOptions extends BalancerContext {
  tokens: Tokens;
  log: (line: string) => void;
}

/** Octavia's versions up to the one whose requests are understood, with the days on which they came. */
const versions = [
  ["v2.0", "2016-12-11"],
  ["v2.1", "2018-04-20"],
  ["v2.2", "2018-07-31"],
  ["v2.3", "2018-12-18"],
  ["v2.4", "2018-12-19"],
  ["v2.5", "2019-01-21"],
  ["v2.6", "2019-01-25"],
  ["v2.7", "2018-01-25T12:00:00Z"],
  ["v2.8", "2019-02-12"],
  ["v2.9", "2019-03-04"],
  ["v2.10", "2019-03-05"],
  ["v2.11", "2019-06-24"],
  ["v2.12", "2019-09-11"],
  ["v2.13", "2019-09-13"],
  ["v2.14", "2019-11-10"],
] as const;

/** Octavia v2 below `/load-balancer`. */
export async function loadBalancerService(app: FastifyInstance, options: LoadBalancerOptions): Promise<void> {
  answerFaults(
    app,
    (reply, error) =>
      reply.code(error.status).send(
        error.status === 401
          ? keystoneBody(error)
          : {
              faultcode: error.status < 500 ? "Client" : "Server",
              faultstring: error.message,
              debuginfo: null,
            },
      ),
    options.log,
  );
  app.get("/", () => ({
    versions: versions.map(([id, day], index) => ({
      id,
      status: index === versions.length - 1 ? "CURRENT" : "SUPPORTED",
      updated: day.includes("T") ? day : `${day}T00:00:00Z`,
      links: [{ href: `${options.base()}/load-balancer/v2`, rel: "self" }],
    })),
  }));
  for (const prefix of ["/v2.0", "/v2"]) {
    await app.register(async (inner) => v2Routes(inner, options), { prefix });
  }
}

function v2Routes(app: FastifyInstance, options: LoadBalancerOptions): void {
  app.addHook("onRequest", requireToken(options.tokens, "load-balancer"));
  app.get("/", () => "v2");
  app.register(
    async (lbaas) => {
      loadBalancerRoutes(lbaas, options);
      listenerRoutes(lbaas, options);
      poolRoutes(lbaas, options);
      memberRoutes(lbaas, options);
      healthMonitorRoutes(lbaas, options);
      quotaRoutes(lbaas, options);
      fixedRoutes(lbaas);
    },
    { prefix: "/lbaas" },
  );
  app.get("/octavia/amphorae", ({ scope }) => {
    demandAdmin(scope);
    return { amphorae: [], amphorae_links: [] };
  });
}

/** What there is exactly one, or none of. */
function fixedRoutes(app: FastifyInstance): void {
  app.get("/providers", () => ({
    providers: [
      { name: "amphora", description: "The Octavia Amphora driver." },
      { name: "octavia", description: "Deprecated alias of the Octavia Amphora driver." },
    ],
  }));
  app.get("/providers/:name/flavor_capabilities", ({ scope }) => {
    demandAdmin(scope);
    return { flavor_capabilities: [] };
  });
  app.get("/providers/:name/availability_zone_capabilities", ({ scope }) => {
    demandAdmin(scope);
    return { availability_zone_capabilities: [] };
  });
  for (const [path, key, resource, administered] of [
    ["flavors", "flavors", "Flavor", false],
    ["flavorprofiles", "flavorprofiles", "Flavor profile", true],
    ["availabilityzones", "availability_zones", "Availability Zone", false],
    ["availabilityzoneprofiles", "availability_zone_profiles", "Availability Zone Profile", true],
    ["l7policies", "l7policies", "L7Policy", false],
  ] as const) {
    app.get(`/${path}`, ({ scope }) => {
      if (administered) demandAdmin(scope);
      return { [key]: [], [`${key}_links`]: [] };
    });
    app.get<{ Params: { id: string } }>(`/${path}/:id`, ({ params }) => {
      throw octavia.notFound(resource, params.id);
    });
    app.post(`/${path}`, ({ scope }) => {
      if (path !== "l7policies") demandAdmin(scope);
      throw octavia.unsupportedAction(`create of ${path}`);
    });
  }
}

function demandAdmin(scope: Scope): void {
  if (!isAdmin(scope)) throw octavia.forbidden();
}
