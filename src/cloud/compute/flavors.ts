import { createHash } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { pythonRepr } from "../http/python-repr.ts";
import { isAdmin, type Scope } from "../identity/scope.ts";
import type { Collection } from "../store/store.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import { flavorAdminRoutes } from "./flavor-admin.ts";
import type { Flavor } from "./flavor-records.ts";
import { badQuery, demandOnly, firstOf, nextLinks, pageAfter, type Query } from "./paging.ts";

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

/** All flavors that there are. */
function allFlavors(made: Collection<Flavor>): Flavor[] {
  return [...builtIn, ...made.list()];
}

/** The flavors that a scope may use. */
export function visibleFlavors(made: Collection<Flavor>, scope: Scope): Flavor[] {
  const mine = ({ isPublic, access = [] }: Flavor) =>
    isPublic !== false || isAdmin(scope) || access.includes(scope.project?.id ?? "");
  return allFlavors(made).filter(mine);
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

type Field = (item: Flavor) => string | number | boolean;

/** What flavors can be sorted by, under the names of Nova's columns. */
const columns: Record<string, Field> = {
  created_at: (item) => item.createdAt ?? "",
  description: (item) => item.description ?? "",
  disabled: () => false,
  ephemeral_gb: (item) => item.ephemeral ?? 0,
  flavorid: (item) => item.id,
  id: () => 0,
  is_public: (item) => item.isPublic ?? true,
  memory_mb: (item) => item.ram,
  name: (item) => item.name,
  root_gb: (item) => item.disk,
  rxtx_factor: (item) => item.rxtxFactor ?? 1,
  swap: (item) => item.swap ?? 0,
  updated_at: () => "",
  vcpu_weight: () => 0,
  vcpus: (item) => item.vcpus,
};

/** One page of the flavors that are asked for. @throws ApiError 400 */
function listFlavors(made: Collection<Flavor>, scope: Scope, query: Query, microversion: number): Flavor[] {
  if (microversion >= 75) {
    demandOnly(query, ["limit", "marker", "is_public", "minRam", "minDisk", "sort_key", "sort_dir"]);
  }
  const least = (name: string) => {
    const text = firstOf(query[name]);
    if (text !== undefined && !/^\s*[+-]?\d+\s*$/.test(text)) throw nova.badRequest(`Invalid ${name} filter [${text}]`);
    return text === undefined ? undefined : Number(text);
  };
  const oneOf = (name: string, allowed: string[], usual: string) => {
    const text = firstOf(query[name]) ?? usual;
    if (!allowed.includes(text)) {
      throw badQuery(name, text, `${pythonRepr(text)} is not one of ${pythonRepr(allowed)}`);
    }
    return text;
  };
  const key = oneOf("sort_key", Object.keys(columns), "flavorid");
  const direction = oneOf("sort_dir", ["asc", "desc"], "asc");
  const [ram = 0, disk = 0] = [least("minRam"), least("minDisk")];
  const isPublic = wantedPublic(firstOf(query.is_public));
  const field = columns[key] as Field;
  const matching = visibleFlavors(made, scope)
    .filter((item) => !isAdmin(scope) || isPublic === undefined || (item.isPublic ?? true) === isPublic)
    .filter((item) => item.ram >= ram && item.disk >= disk);
  // unless a client asks for an order, the flavors that the cloud came with are in theirs, by size
  const asked = query.sort_key !== undefined || query.sort_dir !== undefined;
  const sorted = asked ? matching.toSorted((one, other) => compare(field(one), field(other))) : matching;
  return pageAfter(direction === "desc" ? sorted.toReversed() : sorted, query, ({ id }) => id);
}

/** Administrators see the public ones unless they ask for others or, with None, for all: then undefined. */
function wantedPublic(text: string | undefined): boolean | undefined {
  if (text === undefined || /^(1|t|true|on|y|yes)$/i.test(text)) return true;
  if (/^none$/i.test(text)) return undefined;
  if (/^(0|f|false|off|n|no)$/i.test(text)) return false;
  throw nova.badRequest(`Invalid is_public filter [${text}]`);
}

function compare(one: string | number | boolean, other: string | number | boolean): number {
  return one < other ? -1 : Number(one > other);
}

/** `/flavors` */
export function flavorRoutes(app: FastifyInstance, context: ComputeContext): void {
  const { base, flavors } = context;
  type Listed = { Querystring: Query };
  const list = (request: FastifyRequest<Listed>, path: string, view: (item: Flavor) => unknown) => {
    const page = listFlavors(flavors, request.scope, request.query, request.microversion);
    const links = nextLinks(`${base()}/compute/v2.1/${path}`, request.query, page.length, page.at(-1)?.id);
    return { flavors: page.map(view), ...(links === undefined ? {} : { flavors_links: links }) };
  };
  const detailed = (request: FastifyRequest) => (item: Flavor) => flavorView(item, request.microversion, base());

  app.get<Listed>("/flavors", (request) =>
    list(request, "flavors", (item) => ({
      id: item.id,
      name: item.name,
      ...(request.microversion >= 55 ? { description: item.description ?? null } : {}),
      links: flavorLinks(item.id, base()),
    })),
  );
  app.get<Listed>("/flavors/detail", (request) => list(request, "flavors/detail", detailed(request)));
  app.get<{ Params: { id: string } }>("/flavors/:id", (request) => ({
    flavor: detailed(request)(findFlavor(flavors, request.scope, request.params.id)),
  }));
  app.get<{ Params: { id: string } }>("/flavors/:id/os-extra_specs", ({ scope, params }) => ({
    extra_specs: findFlavor(flavors, scope, params.id).extraSpecs ?? {},
  }));
  app.get<{ Params: { id: string; key: string } }>("/flavors/:id/os-extra_specs/:key", ({ scope, params }) => {
    const { extraSpecs = {} } = findFlavor(flavors, scope, params.id);
    if (!Object.hasOwn(extraSpecs, params.key)) throw nova.extraSpecNotFound(params.id, params.key);
    return { [params.key]: extraSpecs[params.key] };
  });
  app.get<{ Params: { id: string } }>("/flavors/:id/os-flavor-access", ({ scope, params }) => {
    const found = findFlavor(flavors, scope, params.id);
    if (found.isPublic !== false) throw nova.missing("Access list not available for public flavors.");
    return { flavor_access: (found.access ?? []).map((id) => ({ flavor_id: found.id, tenant_id: id })) };
  });
  flavorAdminRoutes(app, context, {
    all: () => allFlavors(flavors),
    view: (item, request) => ({ flavor: detailed(request)(item) }),
  });
}
