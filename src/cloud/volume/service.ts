import type { FastifyInstance, FastifyReply } from "fastify";
import { answerFaults, webobNotFound } from "../http/faults.ts";
import { readJson } from "../http/json-body.ts";
import { type MicroversionRange, negotiateMicroversion } from "../http/microversion.ts";
import { readQueryOnce } from "../http/query.ts";
import { requireToken, type Tokens } from "../identity/tokens.ts";
import { absentRoutes } from "./absent.ts";
import { attachmentRoutes } from "./attachments.ts";
import { backupRoutes } from "./backups.ts";
import type { VolumeContext } from "./context.ts";
import { cinder, volumeBody } from "./errors.ts";
import { groupSnapshotRoutes } from "./group-snapshots.ts";
import { groupTypeRoutes } from "./group-types.ts";
import { groupRoutes } from "./groups.ts";
import { hostRoutes } from "./host.ts";
import { messageRoutes } from "./messages.ts";
import { qosRoutes } from "./qos.ts";
import { quotaRoutes } from "./quotas.ts";
import { snapshotRoutes } from "./snapshots.ts";
import { transferRoutes } from "./transfers.ts";
import { defaultTypeRoutes, typeRoutes } from "./types.ts";
import { volumeRoutes } from "./volumes.ts";

export interface VolumeOptions {
  context: VolumeContext;
  tokens: Tokens;
  log: (line: string) => void;
}

/** 3.70 is the Zed release. */
const microversions: MicroversionRange = { service: "volume", major: 3, min: 0, max: 70 };

const parts = [
  ...[volumeRoutes, snapshotRoutes, attachmentRoutes, typeRoutes, defaultTypeRoutes, qosRoutes, quotaRoutes],
  ...[
    transferRoutes,
    backupRoutes,
    groupTypeRoutes,
    groupRoutes,
    groupSnapshotRoutes,
    messageRoutes,
    hostRoutes,
    absentRoutes,
  ],
];

/** To where Cinder's list of versions is, in the words of the library that finds its paths. */
function sendOn(reply: FastifyReply, location: string): FastifyReply {
  for (const name of ["openstack-api-version", "vary"]) reply.removeHeader(name);
  return reply.code(302).headers({ location, "content-type": "text/plain; charset=utf8" }).send("");
}

/** Cinder v3 below `/volume`. */
export async function volumeService(app: FastifyInstance, { context, tokens, log }: VolumeOptions): Promise<void> {
  answerFaults(
    app,
    (reply, error) => {
      if (error.status === 413) reply.header("retry-after", "0");
      return reply.code(error.status).send(volumeBody(error));
    },
    log,
    { notFound: webobNotFound },
  );
  readJson(app, ["application/json"]);
  readQueryOnce(app);
  app.addHook("onRequest", async (request, reply) => negotiateMicroversion(microversions, request, reply));
  app.addHook("onSend", async (_request, reply) => {
    // said of answers without a body as well
    if (!reply.hasHeader("content-type")) reply.header("content-type", "application/json");
  });
  const versions = () => ({
    versions: [
      {
        id: "v3.0",
        status: "CURRENT",
        version: `3.${microversions.max}`,
        min_version: `3.${microversions.min}`,
        updated: "2022-08-31T00:00:00Z",
        links: [
          { rel: "describedby", type: "text/html", href: "https://docs.openstack.org/" },
          { rel: "self", href: `${context.base()}/volume/v3/` },
        ],
        "media-types": [{ base: "application/json", type: "application/vnd.openstack.volume+json;version=3" }],
      },
    ],
  });
  app.get("/", (_request, reply) => reply.code(300).send(versions()));
  // the project's id in the path may be left out since 3.67
  for (const prefix of ["/v3", "/v3/:project"]) {
    await app.register(
      async (inner) => {
        inner.addHook("onRequest", requireToken(tokens, "volumev3"));
        inner.addHook("onRequest", async ({ scope, params }) => {
          const { project } = params as { project?: string };
          if (project !== undefined && project !== scope.project?.id) throw cinder.badRequest("Malformed request url");
        });
        for (const part of parts) part(inner, context);
        if (prefix === "/v3") {
          inner.get("/", (request, reply) =>
            /\/(\?|$)/.test(request.originalUrl)
              ? reply.send(versions())
              : sendOn(reply, `${context.base()}/volume/v3/`),
          );
        }
      },
      { prefix },
    );
  }
}
