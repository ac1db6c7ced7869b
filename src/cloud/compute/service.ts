import type { FastifyInstance, FastifyReply } from "fastify";
import type { ApiError } from "../http/api-error.ts";
import { answerFaults, namedFaultBody, webobNotFound } from "../http/faults.ts";
import { readJson } from "../http/json-body.ts";
import { negotiateMicroversion } from "../http/microversion.ts";
import { requireToken, type Tokens } from "../identity/tokens.ts";
import { demandAdmin } from "./action.ts";
import { aggregateRoutes } from "./aggregates.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import { extensionViews } from "./extensions.ts";
import { flavorRoutes } from "./flavors.ts";
import { hypervisorRoutes } from "./hypervisors.ts";
import { interfaceRoutes } from "./interfaces.ts";
import { keypairRoutes } from "./keypairs.ts";
import { limitRoutes } from "./limits.ts";
import { microversions } from "./microversion.ts";
import { proxiedImageRoutes } from "./proxied-images.ts";
import { proxiedNetworkRoutes, takenAwayRoutes } from "./proxied-networks.ts";
import { proxiedSecurityGroupRoutes } from "./proxied-security-groups.ts";
import { proxiedVolumeRoutes } from "./proxied-volumes.ts";
import { quotaRoutes } from "./quotas.ts";
import { serverActionRoutes } from "./server-actions.ts";
import { serverGroupRoutes } from "./server-groups.ts";
import { serverMetadataRoutes } from "./server-metadata.ts";
import { serverPartRoutes } from "./server-parts.ts";
import { serverTagRoutes } from "./server-tags.ts";
import { serverRoutes } from "./servers.ts";
import { serviceRoutes, zoneRoutes } from "./services.ts";
import { tenantUsageRoutes } from "./tenant-usage.ts";
import { volumeAttachmentRoutes } from "./volume-attachments.ts";

export interface ComputeOptions extends ComputeContext {
  tokens: Tokens;
  log: (line: string) => void;
}

/** Nova v2.1 below `/compute`. */
export async function computeService(app: FastifyInstance, options: ComputeOptions): Promise<void> {
  answerFaults(app, writeFault, options.log);
  readJson(app, ["application/json", "text/plain"]);
  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-compute-request-id", request.id);
    if (isVersioned(request.url)) negotiateMicroversion(microversions, request, reply);
  });
  app.addHook("onSend", async (_request, reply) => labelled(reply));
  const version = () => ({
    id: "v2.1",
    status: "CURRENT",
    version: `2.${microversions.max}`,
    min_version: `2.${microversions.min}`,
    updated: "2013-07-23T11:33:21Z",
    links: [self()],
  });
  const self = () => ({ rel: "self", href: `${options.base()}/compute/v2.1/` });
  app.get("/", () => ({ versions: [version()] }));
  app.get("/v2.1", () => ({
    version: {
      ...version(),
      links: [self(), { rel: "describedby", type: "text/html", href: "http://docs.openstack.org/" }],
      "media-types": [{ base: "application/json", type: "application/vnd.openstack.compute+json;version=2.1" }],
    },
  }));
  await app.register(
    async (inner) => {
      inner.addHook("onRequest", requireToken(options.tokens, "compute"));
      flavorRoutes(inner, options);
      hypervisorRoutes(inner, options);
      keypairRoutes(inner, options);
      serverRoutes(inner, options);
      serverActionRoutes(inner, options);
      serverMetadataRoutes(inner, options);
      serverTagRoutes(inner, options);
      serverGroupRoutes(inner, options);
      serverPartRoutes(inner, options);
      volumeAttachmentRoutes(inner, options);
      interfaceRoutes(inner, options);
      quotaRoutes(inner, options);
      limitRoutes(inner, options);
      aggregateRoutes(inner, options);
      serviceRoutes(inner, options);
      zoneRoutes(inner, options);
      tenantUsageRoutes(inner, options);
      proxiedImageRoutes(inner, options);
      proxiedNetworkRoutes(inner, options);
      proxiedSecurityGroupRoutes(inner, options);
      proxiedVolumeRoutes(inner, options);
      takenAwayRoutes(inner);
      smallRoutes(inner);
    },
    { prefix: "/v2.1" },
  );
}

/** The documents that tell versions have none themselves. */
function isVersioned(url: string): boolean {
  const [path = ""] = url.split("?");
  return /^\/compute\/v2\.1\/?./.test(path) || /^\/compute\/v2\.1$/.test(path);
}

/** Nova's refusals; a path that it does not know never comes to it, but to what leads paths to services. */
function writeFault(reply: FastifyReply, error: ApiError): unknown {
  if (error.type === "HTTPNotFound") {
    for (const header of ["openstack-api-version", "x-openstack-nova-api-version", "vary"]) reply.removeHeader(header);
    return webobNotFound(reply);
  }
  return reply.code(error.status).send(namedFaultBody(error));
}

/** The content types as Nova writes them: a fault names its character set. */
function labelled(reply: FastifyReply): void {
  const type = String(reply.getHeader("content-type") ?? "");
  const isJson = type.startsWith("application/json");
  if (isJson && reply.statusCode >= 400) reply.header("content-type", "application/json; charset=UTF-8");
  else if (isJson || (type === "" && reply.statusCode < 300)) reply.header("content-type", "application/json");
}

function smallRoutes(app: FastifyInstance): void {
  app.get("/extensions", () => ({ extensions: extensionViews }));
  app.get<{ Params: { alias: string } }>("/extensions/:alias", ({ params }) => {
    const extension = extensionViews.find(({ alias }) => alias === params.alias);
    if (extension === undefined) throw nova.notFound();
    return { extension };
  });
  // one host: nothing moves to another, and what is resized stays
  app.get("/os-migrations", ({ scope }) => {
    demandAdmin(scope, "os_compute_api:os-migrations:index");
    return { migrations: [] };
  });
}
