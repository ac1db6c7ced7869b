import { createHash } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { isAdmin, type Scope } from "../identity/scope.ts";
import type { Collection } from "../store/store.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import { flavorAdminRoutes } from "./flavor-admin.ts";
import type { Flavor } from "./flavor-records.ts";

/** An id that is the same in every cloud, in a UUID's form. */
function stableUuid(text: string): string {
  const hex = createHash("sha1").update(text).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

const flavor = (name: string, vcpus: number, ram: number, disk: number): Flavor => ({
  id: stableUuid(`flavor/${name}`),
  name,
  vcpus,
  ram,
  disk,
});

/** What the cloud offers from its start. */
const builtIn: readonly Flavor[] = [
  flavor("m1.tiny", 1, 512, 1),
  flavor("m1.small", 1, 2048, 20),
  flavor("m1.medium", 2, 4096, 40),
];

/** The flavors that a scope may use. */
export function visibleFlavors(made: Collection<Flavor>, scope: Scope): Flavor[] {
  return [...builtIn, ...made.list((item) => item.isPublic !== false || isAdmin(scope))];
}

function findFlavor(made: Collection<Flavor>, scope: Scope, id: string): Flavor {
  const found = visibleFlavors(made, scope).find((item) => item.id === id);
  if (found === undefined) throw nova.flavorNotFound(id);
  return found;
}

/** The flavor as `GET /flavors` shows it. */
function flavorView(item: Flavor, microversion: number, base: string): Record<string, unknown> {
  return {
    id: item.id,
    name: item.name,
    ram: item.ram,
    disk: item.disk,
    swap: item.swap || (microversion >= 75 ? 0 : ""),
    "OS-FLV-EXT-DATA:ephemeral": item.ephemeral ?? 0,
    "OS-FLV-DISABLED:disabled": false,
    vcpus: item.vcpus,
    "os-flavor-access:is_public": item.isPublic ?? true,
    rxtx_factor: item.rxtxFactor ?? 1,
    links: flavorLinks(item.id, base),
    ...(microversion >= 55 ? { description: item.description ?? null } : {}),
    ...(microversion >= 61 ? { extra_specs: item.extraSpecs ?? {} } : {}),
  };
}

function flavorLinks(id: string, base: string): unknown[] {
  return [
    { rel: "self", href: `${base}/compute/v2.1/flavors/${id}` },
    { rel: "bookmark", href: `${base}/compute/flavors/${id}` },
  ];
}

/** The flavor inside a server: a link up to 2.46, the content from 2.47 on. */
export function embeddedFlavor(item: Flavor, microversion: number, base: string): unknown {
  if (microversion < 47) {
    return { id: item.id, links: [{ rel: "bookmark", href: `${base}/compute/flavors/${item.id}` }] };
  }
  return {
    vcpus: item.vcpus,
    ram: item.ram,
    disk: item.disk,
    ephemeral: item.ephemeral ?? 0,
    swap: item.swap ?? 0,
    original_name: item.name,
    extra_specs: item.extraSpecs ?? {},
  };
}

interface FlavorQuery {
  minRam?: string;
  minDisk?: string;
  limit?: string;
  marker?: string;
  is_public?: string;
}

/** `/flavors` */
export function flavorRoutes(app: FastifyInstance, context: ComputeContext): void {
  const { base, flavors } = context;
  const selected = (scope: Scope, { minRam, minDisk, limit, marker, is_public: wanted }: FlavorQuery) => {
    // administrators see the public ones unless they ask for others or, with None, for all
    const all = wanted === undefined ? "true" : wanted.toLowerCase();
    const matching = visibleFlavors(flavors, scope)
      .filter((item) => !isAdmin(scope) || all === "none" || (item.isPublic ?? true) === /^(true|1|t|yes)$/.test(all))
      .filter((item) => item.ram >= Number(minRam ?? 0) && item.disk >= Number(minDisk ?? 0));
    const from = marker === undefined ? 0 : matching.findIndex((item) => item.id === marker) + 1;
    return matching.slice(from, limit === undefined ? undefined : from + Number(limit));
  };
  const detailed = (request: FastifyRequest) => (item: Flavor) => flavorView(item, request.microversion, base());

  app.get<{ Querystring: FlavorQuery }>("/flavors", ({ scope, query }) => ({
    flavors: selected(scope, query).map(({ id, name }) => ({ id, name, links: flavorLinks(id, base()) })),
  }));
  app.get<{ Querystring: FlavorQuery }>("/flavors/detail", (request) => ({
    flavors: selected(request.scope, request.query).map(detailed(request)),
  }));
  app.get<{ Params: { id: string } }>("/flavors/:id", (request) => ({
    flavor: detailed(request)(findFlavor(flavors, request.scope, request.params.id)),
  }));
  app.get<{ Params: { id: string } }>("/flavors/:id/os-extra_specs", ({ scope, params }) => ({
    extra_specs: findFlavor(flavors, scope, params.id).extraSpecs ?? {},
  }));
  flavorAdminRoutes(app, context, (item, request) => ({ flavor: detailed(request)(item) }));
}
