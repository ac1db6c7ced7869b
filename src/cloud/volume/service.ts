import type { FastifyInstance } from "fastify";
import { ApiError } from "../http/api-error.ts";
import { answerFaults } from "../http/faults.ts";
import { type MicroversionRange, negotiateMicroversion } from "../http/microversion.ts";
import { requireToken, type Tokens } from "../identity/tokens.ts";
import { attachmentRoutes } from "./attachments.ts";
import type { VolumeContext } from "./context.ts";
import { cinder, volumeBody } from "./errors.ts";
import { quotaRoutes } from "./quotas.ts";
import { typeRoutes } from "./types.ts";
import { volumeRoutes } from "./volumes.ts";

export interface VolumeOptions extends VolumeContext {
  tokens: Tokens;
  log: (line: string) => void;
}

/** 3.70 is the Zed release. */
const microversions: MicroversionRange = { service: "volume", major: 3, min: 0, max: 70 };

/** Cinder v3 below `/volume`. */
export async function volumeService(app: FastifyInstance, options: VolumeOptions): Promise<void> {
  answerFaults(
    app,
    (reply, error) => {
      if (error.status === 413) reply.header("retry-after", "0");
      return reply.code(error.status).send(volumeBody(error));
    },
    options.log,
  );
  app.addHook("onRequest", async (request, reply) => negotiateMicroversion(microversions, request, reply));
  const versions = () => ({
    versions: [
      {
        id: "v3.0",
        status: "CURRENT",
        version: `3.${microversions.max}`,
        min_version: `3.${microversions.min}`,
        updated: "2022-08-31T00:00:00Z",
        links: [{ rel: "self", href: `${options.base()}/volume/v3/` }],
        "media-types": [{ base: "application/json", type: "application/vnd.openstack.volume+json;version=3" }],
      },
    ],
  });
  app.get("/", (_request, reply) => reply.code(300).send(versions()));
  // the project's id in the path may be left out since 3.67
  for (const prefix of ["/v3", "/v3/:project"]) {
    await app.register(
      async (inner) => {
        inner.addHook("onRequest", requireToken(options.tokens, "volumev3"));
        inner.addHook("onRequest", async ({ scope, params }) => {
          const { project } = params as { project?: string };
          if (project !== undefined && project !== scope.project?.id) throw cinder.badRequest("Malformed request url");
        });
        volumeRoutes(inner, options);
        attachmentRoutes(inner, options);
        typeRoutes(inner);
        quotaRoutes(inner, options.volumes);
        smallRoutes(inner);
        if (prefix === "/v3") inner.get("/", versions);
      },
      { prefix },
    );
  }
}

/** What clients ask for and this cloud has none of. */
function smallRoutes(app: FastifyInstance): void {
  app.get("/os-availability-zone", () => ({
    availabilityZoneInfo: [{ zoneName: "nova", zoneState: { available: true } }],
  }));
  app.get("/extensions", () => ({ extensions: [] }));
  for (const kind of ["snapshots", "backups"]) {
    for (const path of [`/${kind}`, `/${kind}/detail`]) app.get(path, () => ({ [kind]: [] }));
    app.post(`/${kind}`, () => {
      throw cinder.notDone(`makes no ${kind}`);
    });
  }
  app.get<{ Params: { id: string } }>("/snapshots/:id", ({ params }) => {
    throw new ApiError(404, `Snapshot ${params.id} could not be found.`);
  });
  app.get<{ Params: { id: string } }>("/backups/:id", ({ params }) => {
    throw new ApiError(404, `Backup ${params.id} could not be found.`);
  });
}
