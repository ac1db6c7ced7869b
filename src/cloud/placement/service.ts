import type { FastifyInstance, FastifyRequest } from "fastify";
import { lookup } from "../../common/lookup.ts";
import { ApiError } from "../http/api-error.ts";
import { answerFaults, keystoneBody } from "../http/faults.ts";
import { type MicroversionRange, negotiateMicroversion } from "../http/microversion.ts";
import { isAdmin } from "../identity/scope.ts";
import { requireToken, type Tokens } from "../identity/tokens.ts";
import { placementBody } from "./errors.ts";
import {
  consumers,
  generation,
  inventories,
  type Placed,
  provider,
  resourcesOf,
  traits,
  usagesOf,
} from "./provider.ts";

export interface PlacementOptions extends Placed {
  tokens: Tokens;
  log: (line: string) => void;
}

const microversions = { service: "placement", major: 1, min: 0, max: 39 } as const satisfies MicroversionRange;

/** Placement's own classes that this cloud's host has some of. */
const classes = ["VCPU", "MEMORY_MB", "DISK_GB"];

/** Placement below `/placement`: what the host has, and what servers take of it, to read. Nova alone writes it, and does so here itself. */
export async function placementService(app: FastifyInstance, options: PlacementOptions): Promise<void> {
  answerFaults(
    app,
    (reply, error) => {
      reply.code(error.status).type("application/json");
      if (error.status === 401) return reply.send(keystoneBody(error));
      const range = error.status === 406 ? { max_version: "1.39", min_version: "1.0" } : {};
      return reply.send(placementBody(error, reply.request.id, range));
    },
    options.log,
  );
  app.get("/", () => ({
    versions: [
      { id: "v1.0", max_version: "1.39", min_version: "1.0", status: "CURRENT", links: [{ rel: "self", href: "" }] },
    ],
  }));
  await app.register(async (inner) => {
    inner.addHook("onRequest", requireToken(options.tokens, "placement"));
    inner.addHook("onRequest", async (request, reply) => {
      negotiate(request, reply);
      demandAllowed(request);
    });
    inner.addHook("onSend", async (request, reply) => {
      reply.header("content-type", "application/json");
      if (request.microversion < 15 || reply.statusCode !== 200) return;
      reply.header("cache-control", "no-cache").header("last-modified", new Date().toUTCString());
    });
    providerRoutes(inner, options);
    totalRoutes(inner, options);
  });
}

function negotiate(request: FastifyRequest, reply: Parameters<typeof negotiateMicroversion>[2]): void {
  try {
    negotiateMicroversion(microversions, request, reply);
    reply.header("vary", "openstack-api-version");
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 406) throw error;
    const asked = /Version (\S+)/.exec(error.message)?.[1] ?? "";
    throw new ApiError(406, `Invalid microversion: Unacceptable version header: ${asked}`);
  }
}

/** Placement is the administrators', but for what a project uses. */
function demandAllowed({ scope, url }: FastifyRequest): void {
  if (isAdmin(scope)) return;
  const asked = new URL(url, "http://localhost");
  if (asked.pathname === "/placement/usages" && asked.searchParams.get("project_id") === scope.project?.id) return;
  throw new ApiError(
    403,
    `placement${asked.pathname.replace("/placement", "").replaceAll("/", ":")} does not have the required privileges.`,
  );
}

interface One {
  Params: { id: string };
}
interface OneClass {
  Params: { id: string; name: string };
}

function providerRoutes(app: FastifyInstance, options: PlacementOptions): void {
  const found = (id: string) => {
    if (id !== provider.uuid) throw new ApiError(404, `No resource provider with uuid ${id} found`);
    return generation(consumers(options));
  };
  const path = "/resource_providers";

  app.get<{ Querystring: Record<string, string> }>(path, ({ query, microversion }) => {
    const matches =
      (query.name === undefined || query.name === provider.name) &&
      (query.uuid === undefined || query.uuid === provider.uuid) &&
      (query.in_tree === undefined || query.in_tree === provider.uuid);
    return { resource_providers: matches ? [providerView(options, microversion)] : [] };
  });
  app.get<One>(`${path}/:id`, ({ params, microversion }) => {
    found(params.id);
    return providerView(options, microversion);
  });
  app.get<One>(`${path}/:id/inventories`, async ({ params }) => ({
    resource_provider_generation: found(params.id),
    inventories: await inventories(options),
  }));
  app.get<OneClass>(`${path}/:id/inventories/:name`, async ({ params }) => {
    const number = found(params.id);
    const one = lookup(await inventories(options))[params.name];
    if (one === undefined) throw new ApiError(404, `No inventory of class ${params.name} for ${params.id}`);
    return { ...one, resource_provider_generation: number };
  });
  app.get<One>(`${path}/:id/usages`, ({ params }) => ({
    resource_provider_generation: found(params.id),
    usages: { ...Object.fromEntries(classes.map((name) => [name, 0])), ...usagesOf(consumers(options)) },
  }));
  app.get<One>(`${path}/:id/aggregates`, ({ params, microversion }) => ({
    aggregates: [],
    ...(microversion >= 19 ? { resource_provider_generation: found(params.id) } : {}),
  }));
  app.get<One>(`${path}/:id/traits`, ({ params }) => ({
    traits: traits(options),
    resource_provider_generation: found(params.id),
  }));
  app.get<One>(`${path}/:id/allocations`, ({ params, microversion }) => ({
    allocations: Object.fromEntries(
      consumers(options).map((server) => [
        server.id,
        { resources: resourcesOf(server), ...(microversion >= 28 ? { consumer_generation: 1 } : {}) },
      ]),
    ),
    resource_provider_generation: found(params.id),
  }));
}

function providerView(options: PlacementOptions, microversion: number): Record<string, unknown> {
  const self = `/resource_providers/${provider.uuid}`;
  const parts = [
    ["inventories", 0],
    ["usages", 0],
    ["aggregates", 1],
    ["traits", 6],
    ["allocations", 11],
  ] as const;
  return {
    uuid: provider.uuid,
    name: provider.name,
    generation: generation(consumers(options)),
    links: [
      { rel: "self", href: self },
      ...parts.filter(([, first]) => microversion >= first).map(([name]) => ({ rel: name, href: `${self}/${name}` })),
    ],
    ...(microversion >= 14 ? { parent_provider_uuid: null, root_provider_uuid: provider.uuid } : {}),
  };
}

function totalRoutes(app: FastifyInstance, options: PlacementOptions): void {
  app.get<{ Querystring: { name?: string } }>("/traits", ({ query }) => {
    const prefix = /^startswith:(.*)$/.exec(query.name ?? "")?.[1] ?? "";
    const listed = /^in:(.*)$/.exec(query.name ?? "")?.[1]?.split(",");
    const wanted = (name: string) => name.startsWith(prefix) && (listed === undefined || listed.includes(name));
    return { traits: traits(options).filter(wanted) };
  });
  app.get("/resource_classes", () => ({
    resource_classes: classes.map((name) => ({ name, links: [{ rel: "self", href: `/resource_classes/${name}` }] })),
  }));
  app.get<{ Params: { name: string } }>("/resource_classes/:name", ({ params: { name } }) => {
    if (!classes.includes(name)) throw new ApiError(404, `No such resource class ${name}.`);
    return { name, links: [{ rel: "self", href: `/resource_classes/${name}` }] };
  });
  app.get<One>("/allocations/:id", ({ params, microversion }) => {
    const [server] = consumers(options, ({ id }) => id === params.id);
    if (server === undefined) return { allocations: {} };
    return {
      allocations: {
        [provider.uuid]: { resources: resourcesOf(server), generation: generation(consumers(options)) },
      },
      ...(microversion >= 12 ? { project_id: server.projectId, user_id: server.userId } : {}),
      ...(microversion >= 28 ? { consumer_generation: 1 } : {}),
      ...(microversion >= 38 ? { consumer_type: "INSTANCE" } : {}),
    };
  });
  app.get<{ Querystring: { project_id?: string; user_id?: string } }>("/usages", ({ query, microversion }) => {
    if (query.project_id === undefined) {
      throw new ApiError(400, "Invalid query string parameters: 'project_id' is a required property");
    }
    const list = consumers(
      options,
      ({ projectId, userId }) =>
        projectId === query.project_id && (query.user_id === undefined || userId === query.user_id),
    );
    if (microversion < 38) return { usages: usagesOf(list) };
    return { usages: list.length === 0 ? {} : { INSTANCE: { ...usagesOf(list), consumer_count: list.length } } };
  });
}
