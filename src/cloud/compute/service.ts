import type { FastifyInstance } from "fastify";
import { answerFaults, namedFaultBody } from "../http/faults.ts";
import { negotiateMicroversion } from "../http/microversion.ts";
import { isAdmin } from "../identity/scope.ts";
import { requireToken, type Tokens } from "../identity/tokens.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import { flavorRoutes } from "./flavors.ts";
import { hypervisorRoutes } from "./hypervisors.ts";
import { interfaceRoutes } from "./interfaces.ts";
import { keypairRoutes } from "./keypairs.ts";
import { microversions, untilMicroversion } from "./microversion.ts";
import { quotaRoutes } from "./quotas.ts";
import { serverActionRoutes } from "./server-actions.ts";
import { serverGroupRoutes } from "./server-groups.ts";
import { serverMetadataRoutes } from "./server-metadata.ts";
import { serverPartRoutes } from "./server-parts.ts";
import { serverTagRoutes } from "./server-tags.ts";
import { serverRoutes } from "./servers.ts";
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
      smallRoutes(inner, options);
    },
    { prefix: "/v2.1" },
  );
}

function smallRoutes(app: FastifyInstance, { tables, servers }: ComputeOptions): void {
  const zone = { zoneName: "nova", zoneState: { available: true }, hosts: null };
  app.get("/os-availability-zone", () => ({ availabilityZoneInfo: [zone] }));
  app.get("/os-availability-zone/detail", ({ scope }) => {
    if (!isAdmin(scope)) throw nova.forbidden("os_compute_api:os-availability-zone:detail");
    return { availabilityZoneInfo: [zone] };
  });
  app.get("/extensions", () => ({ extensions: [] }));
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
