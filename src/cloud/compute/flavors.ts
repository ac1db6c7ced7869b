import { createHash } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { nova } from "./errors.ts";

/** A size of servers. */
export interface Flavor {
  id: string;
  name: string;
  vcpus: number;
  /** MiB. */
  ram: number;
  /** GiB; 0 means as large as the image. */
  disk: number;
}

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

/** What the cloud offers. */
export const flavors: readonly Flavor[] = [
  flavor("m1.tiny", 1, 512, 1),
  flavor("m1.small", 1, 2048, 20),
  flavor("m1.medium", 2, 4096, 40),
];

function findFlavor(id: string): Flavor {
  const found = flavors.find((item) => item.id === id);
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
    swap: microversion >= 75 ? 0 : "",
    "OS-FLV-EXT-DATA:ephemeral": 0,
    "OS-FLV-DISABLED:disabled": false,
    vcpus: item.vcpus,
    "os-flavor-access:is_public": true,
    rxtx_factor: 1,
    links: flavorLinks(item.id, base),
    ...(microversion >= 55 ? { description: null } : {}),
    ...(microversion >= 61 ? { extra_specs: {} } : {}),
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
    ephemeral: 0,
    swap: 0,
    original_name: item.name,
    extra_specs: {},
  };
}

interface FlavorQuery {
  minRam?: string;
  minDisk?: string;
  limit?: string;
  marker?: string;
}

/** `/flavors` */
export function flavorRoutes(app: FastifyInstance, base: () => string): void {
  const selected = ({ minRam, minDisk, limit, marker }: FlavorQuery) => {
    const matching = flavors.filter((item) => item.ram >= Number(minRam ?? 0) && item.disk >= Number(minDisk ?? 0));
    const from = marker === undefined ? 0 : matching.findIndex((item) => item.id === marker) + 1;
    return matching.slice(from, limit === undefined ? undefined : from + Number(limit));
  };
  const detailed = (request: FastifyRequest) => (item: Flavor) => flavorView(item, request.microversion, base());

  app.get<{ Querystring: FlavorQuery }>("/flavors", ({ query }) => ({
    flavors: selected(query).map(({ id, name }) => ({ id, name, links: flavorLinks(id, base()) })),
  }));
  app.get<{ Querystring: FlavorQuery }>("/flavors/detail", (request) => ({
    flavors: selected(request.query).map(detailed(request)),
  }));
  app.get<{ Params: { id: string } }>("/flavors/:id", (request) => ({
    flavor: detailed(request)(findFlavor(request.params.id)),
  }));
  app.get<{ Params: { id: string } }>("/flavors/:id/os-extra_specs", ({ params }) => {
    findFlavor(params.id);
    return { extra_specs: {} };
  });
}
