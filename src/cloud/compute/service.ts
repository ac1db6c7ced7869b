import type { FastifyInstance } from "fastify";
import { answerFaults, namedFaultBody } from "../http/faults.ts";
import { negotiateMicroversion } from "../http/microversion.ts";
import { requireToken, type Tokens } from "../identity/tokens.ts";
import { demandAdmin } from "./action.ts";
import { aggregateRoutes } from "./aggregates.ts";
import type { ComputeContext } from "./context.ts";
import { flavorRoutes } from "./flavors.ts";
import { hypervisorRoutes } from "./hypervisors.ts";
import { interfaceRoutes } from "./interfaces.ts";
import { keypairRoutes } from "./keypairs.ts";
import { limitRoutes } from "./limits.ts";
import { microversions, untilMicroversion } from "./microversion.ts";
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
  answerFaults(app, (reply, error) => reply.code(error.status).send(namedFaultBody(error)), options.log);
  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-compute-request-id", request.id);
    negotiateMicroversion(microversions, request, reply);
  });
  const version = () => ({
    id: "v2.1",
    status: "CURRENT",
    version: `2.${microversions.max}`,
    min_version: `2.${microversions.min}`,
    updated: "2013-07-23T11:33:21Z",
    links: [{ rel: "self", href: `${options.base()}/compute/v2.1/` }],
  });
  app.get("/", () => ({ versions: [version()] }));
  app.get("/v2.1", () => ({
    version: {
      ...version(),
      "media-types": [{ base: "application/json", type: "application/vnd.openstack.compute+json;version=2.1" }],
    },
  }));
  await app.register(
    async (inner) => {
      inner.addHook("onRequest", requireToken(options.tokens, "compute"));
      flavorRoutes(inner, options);
      hypervisorRoutes(inner, options);
      keypairRoutes(inner, options.store);
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
      smallRoutes(inner, options);
    },
    { prefix: "/v2.1" },
  );
}

function smallRoutes(app: FastifyInstance, { tables, servers }: ComputeOptions): void {
  // each was an extension once; since 2.1 all are always there, and told as nothing
  app.get("/extensions", () => ({ extensions: [] }));
  // one host: nothing moves to another, and what is resized stays
  app.get("/os-migrations", ({ scope }) => {
    demandAdmin(scope, "os_compute_api:os-migrations:index");
    return { migrations: [] };
  });
  // Nova's own proxies of Neutron, gone since 2.36
  app.get("/os-floating-ips", (request) => {
    untilMicroversion(request, 35);
    const own = tables.floatingIps.list((item) => item.projectId === request.scope.project?.id);
    return {
      floating_ips: own.map((item) => ({
        id: item.id,
        ip: item.address,
        fixed_ip: item.fixedIp,
        instance_id: servers.find((server) => server.nics.some((nic) => nic.portId === item.portId))?.id ?? null,
        pool: tables.networks.get(item.networkId)?.name ?? "",
      })),
    };
  });
}
