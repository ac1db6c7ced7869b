import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import Fastify, { type FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { messageOf } from "../../common/errors.ts";
import { longestDeadlineOf } from "../config.ts";
import { frontendSettingsOf } from "../frontend/config.ts";
import type { FrontendContext } from "../frontend/context.ts";
import { inheritedSocket, listenOn } from "../listening/inherited.ts";
import { idleMsOf, partingServer } from "../listening/parting.ts";
import { openCertificates } from "../tls/files.ts";
import { secureContextOf, tlsServerOptions } from "../tls/options.ts";
import { callerOf, isAllowed } from "./caller.ts";
import { PlanPredictions } from "./predictions.ts";
import { engineRoutes, headerText } from "./routes.ts";
import type { AiEngineConfig } from "./settings.ts";
import { Store } from "./store.ts";
import { Trainings } from "./trainings.ts";

/** What the listener works with. */
export interface AiEngineOptions {
  context: Pick<FrontendContext, "config" | "limits" | "router">;
  settings: AiEngineConfig;
  log: Logger;
  /** The module that a training's process runs; beside the frontend's own unless told otherwise. */
  entry?: string;
}

/** A listener that is up. */
export interface AiEngine {
  port: number;
  /** Answers what has begun, but for trainings: their callers are told `R`. */
  close: () => Promise<void>;
}

const HEADERS_MS = 15_000;
/** For a request with its file. */
const ARRIVAL_MS = 300_000;
const IDLE_LOOK_MS = 50;
/** Before whoever stops the process loses patience. */
const DRAIN_MARGIN_MS = 500;
/** Of what is no file. */
const BODY_BYTES = 64 * 1024;

/**
 * Serves openGauss' AIEngine interface (docs/reference/aiengine.md) over TLS to clients that show a certificate.
 * @throws SlipwayError E_CONFIG_INVALID for certificates that cannot be used
 */
export async function serveAiEngine({ context, settings, log, entry }: AiEngineOptions): Promise<AiEngine> {
  const { config, limits, router } = context;
  const { modelsDir } = config;
  const certificates = await openCertificates(settings, "aiengine", log);
  const store = await Store.open(settings.dir);
  const trainings = new Trainings({
    settings,
    store,
    modelsDir,
    router,
    heapMiB: limits.jobHeapMiB,
    entry: entry ?? trainingEntry(process.argv[1] ?? ""),
    log,
  });
  const predictions = new PlanPredictions({ router, modelsDir, deadlineMs: longestDeadlineOf(config) });
  const app = Fastify({
    https: tlsServerOptions(certificates.texts),
    logger: false,
    bodyLimit: BODY_BYTES,
    requestTimeout: ARRIVAL_MS,
    forceCloseConnections: "idle",
    return503OnClosing: false,
  });
  const part = partingServer(app.server);
  app.server.headersTimeout = HEADERS_MS;
  app.server.maxConnections = settings.connections;
  app.server.on("tlsClientError", (error) => log.debug({ reason: messageOf(error) }, "a client was refused"));
  admitClients(app as unknown as FastifyInstance, settings.clients);
  answerFailures(app as unknown as FastifyInstance, log);
  engineRoutes(app as unknown as FastifyInstance, { settings, store, trainings, predictions, modelsDir, router });
  await app.listen(listenOn("aiengine", { host: settings.host, port: settings.port }));
  certificates.follow((texts) => {
    app.server.setSecureContext(secureContextOf(texts));
    app.server.closeIdleConnections(); // who comes back shows a certificate anew
  });
  const { port } = app.server.address() as AddressInfo;
  log.info({ host: settings.host, port }, "AIEngine listens");
  return {
    port,
    close: async () => {
      certificates.close();
      const { drainMs } = frontendSettingsOf(config);
      // where another takes over new connections, old ones are kept for what is on its way
      if (inheritedSocket("aiengine") !== undefined) part(idleMsOf(drainMs));
      // a connection whose last answer is sent meanwhile is idle only then
      const idle = setInterval(() => app.server.closeIdleConnections(), IDLE_LOOK_MS);
      const late = setTimeout(() => app.server.closeAllConnections(), drainMs - DRAIN_MARGIN_MS);
      try {
        await Promise.all([app.close(), trainings.close()]);
      } finally {
        clearInterval(idle);
        clearTimeout(late);
      }
    },
  };
}

/** Turns away whose certificate has none of these names. */
function admitClients(app: FastifyInstance, clients: readonly string[] | undefined): void {
  app.addHook("onRequest", async (request, reply) => {
    const caller = callerOf(request.raw.socket as TLSSocket);
    if (caller && isAllowed(caller, clients)) return;
    const reason = `${caller?.names.join(", ") ?? "a client without a certificate"} is not let in`;
    reply.code(403).headers({ "slipway-reason": headerText(reason), connection: "close" });
    await reply.type("text/plain; charset=utf-8").send("F");
  });
}

/** No failure is answered with more than a character: what the caller got wrong is `F`, a defect is `i` and is logged. */
function answerFailures(app: FastifyInstance, log: Pick<Logger, "error">): void {
  app.setErrorHandler<Error & { statusCode?: number }>((error, request, reply) => {
    const { statusCode = 500 } = error;
    reply.type("text/plain; charset=utf-8").header("slipway-reason", headerText(error.message));
    if (statusCode >= 400 && statusCode < 500) return reply.code(statusCode).header("connection", "close").send("F");
    log.error({ url: request.url, err: error }, "AIEngine request failed");
    return reply.code(200).header("slipway-reason", "a defect: see the log").send("i");
  });
  app.setNotFoundHandler((request, reply) =>
    reply
      .code(404)
      .headers({
        "slipway-reason": headerText(`${request.method} ${request.url} is not served here`),
        connection: "close",
      })
      .type("text/plain; charset=utf-8")
      .send("F"),
  );
}

/** The module of a training's process lies beside the frontend's. */
function trainingEntry(frontend: string): string {
  return frontend.replace(/frontend(\.\w+)$/, "aiengine$1");
}
