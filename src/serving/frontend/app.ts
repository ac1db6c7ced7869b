import { randomBytes } from "node:crypto";
import type { ServerOptions } from "node:http";
import type { Server as HttpsServer } from "node:https";
import Fastify, { type FastifyBaseLogger, type FastifyInstance } from "fastify";
import { Meter } from "../metrics/meter.ts";
import type { ServerCertificates } from "../tls/files.ts";
import { secureContextOf, tlsServerOptions } from "../tls/options.ts";
import { allowedMethods } from "./allowed-methods.ts";
import { type Access, requireRoles } from "./auth.ts";
import { answerClientError } from "./client-errors.ts";
import { frontendSettingsOf } from "./config.ts";
import type { FrontendContext } from "./context.ts";
import { HttpError, httpErrorOf } from "./errors.ts";
import { sendFailure } from "./failure-reply.ts";
import { allowOrigins, boundRates } from "./guards.ts";
import { figureRoutes } from "./host/figure-routes.ts";
import { statusRoutes } from "./host/status-routes.ts";
import { boardRoutes } from "./jobs/board-routes.ts";
import { deadLetterRoutes } from "./jobs/dead-letter-routes.ts";
import { jobRoutes } from "./jobs/job-routes.ts";
import { scheduleRoutes } from "./jobs/schedule-routes.ts";
import { modelRoutes } from "./models/model-routes.ts";
import { openApiRoutes } from "./openapi/openapi-routes.ts";
import { liveRoutes } from "./pages/live-routes.ts";
import { loginRoutes } from "./pages/login-routes.ts";
import { pageRoutes } from "./pages/page-routes.ts";
import { predictRoutes } from "./predictions/predict-routes.ts";
import { type Hub, localHub } from "./processes/hub.ts";
import { releaseRoutes } from "./releases/release-routes.ts";
import { requestIdOf } from "./request-ids.ts";
import { type RouteEntry, tableOfRoutes } from "./route-table.ts";
import { useZodSchemas } from "./schemas.ts";
import { v2Routes } from "./v2/routes.ts";
import { watchRequests } from "./watch.ts";
import { aiModelRoutes } from "./workers/ai-model-routes.ts";
import { balancerRoutes } from "./workers/balancer-routes.ts";
import { workerRoutes } from "./workers/worker-routes.ts";

declare module "fastify" {
  interface FastifyInstance {
    /** What is served, once the app is ready. */
    routeTable: readonly RouteEntry[];
  }
}

/** What a frontend works with besides the models: who may ask, and where figures go. */
export interface FrontendPlatform {
  access: Access;
  meter: Meter;
  hub: Hub;
  /** With them only TLS is spoken. */
  certificates?: ServerCertificates | undefined;
}

/** The platform of a host without tokens whose frontend is one process. */
function plainPlatform(): FrontendPlatform {
  const meter = new Meter();
  return { access: { tokens: undefined, sessionKey: randomBytes(32) }, meter, hub: localHub(meter) };
}

/** How often Node looks for connections whose headers are late. */
const LATE_LOOK_MS = 1000;

/** The HTTP interface (docs/reference/serving-api.md); listening and closing are the caller's. */
export function buildFrontend(
  context: FrontendContext,
  log: FastifyBaseLogger,
  { access, meter, hub, certificates }: FrontendPlatform = plainPlatform(),
): FastifyInstance {
  const settings = frontendSettingsOf(context.config);
  const app = Fastify({
    // a logger for each request would cost more than the prediction: whoever logs has `app.log`, and names the request
    logger: false,
    bodyLimit: settings.bodyBytes,
    // the body's bound is ours: watchRequests
    requestTimeout: 0,
    ...serverOptions(
      { headersTimeout: settings.requestTimeoutMs, connectionsCheckingInterval: LATE_LOOK_MS },
      certificates,
    ),
    forceCloseConnections: "idle",
    // what arrives on an open connection while the process stops is answered like everything else
    return503OnClosing: false,
    clientErrorHandler: answerClientError,
    genReqId: requestIdOf,
    trustProxy: settings.trustedProxies.length > 0 ? settings.trustedProxies : false,
    routerOptions: { ignoreTrailingSlash: true },
    frameworkErrors: (error, request, reply) =>
      sendFailure(context, request, reply.header("x-request-id", request.id), httpErrorOf(error)),
  });
  app.log = log;
  certificates?.follow((texts) => (app.server as HttpsServer).setSecureContext(secureContextOf(texts)));
  app.setErrorHandler<Error>((error, request, reply) => {
    const failure = httpErrorOf(error);
    const { id, method, url } = request;
    if (failure.statusCode === 500) log.error({ reqId: id, method, url, err: error }, "request failed");
    else if (failure.statusCode > 500) log.warn({ reqId: id, url, code: failure.code }, failure.message);
    return sendFailure(context, request, reply, failure);
  });
  const table = tableOfRoutes(app);
  app.decorate("routeTable", table);
  useZodSchemas(app);
  watchRequests(app, settings, meter);
  allowOrigins(app, settings);
  app.register(
    inOrder(async () => {
      requireRoles(app, access);
      boundRates(app, settings, (key, windowMs) => hub.hit(key, windowMs));
    }),
  );
  app.setNotFoundHandler((request, reply) => {
    const methods = allowedMethods(table, request.url.replace(/\?.*/, ""));
    if (methods.length > 0) reply.header("allow", methods.join(", "));
    if (methods.length > 0 && request.method === "OPTIONS") return reply.code(204).send();
    const what = `${request.method} ${request.url.slice(0, 200)}`;
    const failure =
      methods.length > 0
        ? new HttpError(405, "METHOD_NOT_ALLOWED", `${what} is not served here, ${methods.join(", ")} are`)
        : new HttpError(404, "NOT_FOUND", `${what} is not served here`);
    return sendFailure(context, request, reply, failure);
  });
  // in a scope of their own: plugins are there before them
  app.register(async (routes) => {
    statusRoutes(routes, context);
    openApiRoutes(routes, context, table);
    modelRoutes(routes, context);
    // what it reads besides JSON, no other route does
    routes.register((scope) => predictRoutes(scope, context));
    jobRoutes(routes, context, settings.jobBodyBytes);
    deadLetterRoutes(routes, context);
    boardRoutes(routes, context);
    scheduleRoutes(routes, context, settings.jobBodyBytes);
    v2Routes(routes, { context, hub, inferBodyBytes: settings.inferBodyBytes });
    aiModelRoutes(routes, context);
    workerRoutes(routes, context.workers);
    balancerRoutes(routes, context.workers, hub);
    figureRoutes(routes, hub);
    releaseRoutes(routes, context.config, hub);
    liveRoutes(routes, context, hub);
    pageRoutes(routes, context, hub);
    loginRoutes(routes, context, access);
  });
  return app;
}

/** A step that takes its turn among the plugins and works on the same instance as they do. */
function inOrder(step: () => Promise<void>): () => Promise<void> {
  return Object.assign(step, { [Symbol.for("skip-override")]: true });
}

/** Of a server over TLS, or of one in the clear. */
function serverOptions(http: ServerOptions, certificates: ServerCertificates | undefined): { http: ServerOptions } {
  if (!certificates) return { http };
  // the routes do not depend on it
  return { https: { ...http, ...tlsServerOptions(certificates.texts) } } as unknown as { http: ServerOptions };
}
