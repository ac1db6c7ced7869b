import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from "fastify";
import type { FrontendContext } from "./context.ts";
import { HttpError, httpErrorOf } from "./errors.ts";
import { jobRoutes } from "./job-routes.ts";
import { sendFailurePage, wantsJson } from "./page-reply.ts";
import { pageRoutes } from "./page-routes.ts";
import { predictRoutes } from "./predict-routes.ts";
import { statusRoutes } from "./status-routes.ts";
import { v2Routes } from "./v2-routes.ts";

const MAX_BODY_BYTES = 2 * 1024 * 1024;
const MAX_JOB_BODY_BYTES = 32 * 1024 * 1024;
/** A client that takes longer to send its request is cut off. */
const REQUEST_TIMEOUT_MS = 15_000;

/** The HTTP interface (docs/reference/serving-api.md); listening and closing are the caller's. */
export function buildFrontend(context: FrontendContext, log: FastifyBaseLogger): FastifyInstance {
  const app = Fastify({
    loggerInstance: log,
    // two lines a request would cost more than the prediction
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: "idle",
    routerOptions: { ignoreTrailingSlash: true },
  });
  app.setErrorHandler<Error>((error, request, reply) => {
    const failure = httpErrorOf(error);
    if (failure.statusCode === 500)
      log.error({ method: request.method, url: request.url, err: error }, "request failed");
    else if (failure.statusCode > 500) log.warn({ url: request.url, code: failure.code }, failure.message);
    return sendFailure(context, request, reply, failure);
  });
  app.setNotFoundHandler((request, reply) =>
    sendFailure(
      context,
      request,
      reply,
      new HttpError(404, "NOT_FOUND", `${request.method} ${request.url} is not served here`),
    ),
  );
  statusRoutes(app, context);
  predictRoutes(app, context);
  jobRoutes(app, context, MAX_JOB_BODY_BYTES);
  v2Routes(app, context);
  pageRoutes(app, context);
  return app;
}

/** The error in the form that the route's protocol has for it. */
function sendFailure(
  context: FrontendContext,
  request: FastifyRequest,
  reply: FastifyReply,
  failure: HttpError,
): FastifyReply {
  const { statusCode, code, message, retryAfter } = failure;
  reply.code(statusCode);
  if (retryAfter !== undefined) reply.header("retry-after", retryAfter);
  if (request.url.startsWith("/v2")) return reply.send({ error: message });
  if (request.headers.accept?.includes("text/html") && !wantsJson(request))
    return sendFailurePage(context, request, reply, failure);
  return reply.send({ error: { code, message } });
}
