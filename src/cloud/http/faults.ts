import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { ApiError } from "./api-error.ts";
import { InvalidInput } from "./invalid-input.ts";
import { MalformedBody } from "./json-body.ts";
import { webobPage } from "./pages.ts";
import { reasonPhrase } from "./reasons.ts";
import { methodsOf } from "./routes.ts";

/** Writes a refusal in a service's own form. */
export type FaultWriter = (reply: FastifyReply, error: ApiError) => unknown;

/** How a service speaks of what is wrong with any request; Nova's ways unless told otherwise. */
export interface Manners {
  /** Of a body that is no JSON. */
  malformed?: string;
  /** Of a body of another type than it reads. */
  mediaType?: ApiError;
  /** Of a body, or a part of one, that does not fit. */
  invalid?: (input: InvalidInput) => string;
  /** Of a failure of its own. */
  unexpected?: string;
  /** Of a path that it does not have. */
  notFound?: (reply: FastifyReply) => unknown;
  /** Of a path that it has for other methods; the one that is not found unless given. */
  wrongMethod?: (reply: FastifyReply, request: FastifyRequest) => unknown;
  /** Bytes that a body may have; `null`: as many as the cloud takes at all. */
  bodyLimit?: number | null;
}

/** oslo.middleware's `max_request_body_size`. */
const usualLimit = 114_688;

/**
 * Makes a service answer every failure in its own form: refusals, unknown paths, malformed bodies, and bugs. Bugs are logged with the
 * request id that the client is given; the client is told no more.
 */
export function answerFaults(
  service: FastifyInstance,
  write: FaultWriter,
  log: (line: string) => void,
  manners: Manners = {},
): void {
  const { bodyLimit = usualLimit, unexpected = serverErred } = manners;
  if (bodyLimit !== null) {
    service.addHook("onRoute", (route) => {
      route.bodyLimit ??= bodyLimit;
    });
  }
  const notFound =
    manners.notFound ?? ((reply: FastifyReply) => write(reply, new ApiError(404, resourceNotFound, "HTTPNotFound")));
  service.setNotFoundHandler((request, reply) => {
    const allowed = manners.wrongMethod === undefined ? [] : methodsOf(service.routes, request.url);
    if (manners.wrongMethod === undefined || allowed.length === 0) return notFound(reply);
    reply.header("allow", allowed.join(", "));
    return manners.wrongMethod(reply, request);
  });
  service.setErrorHandler((error: FastifyError, request, reply) => {
    if (error.code === "FST_ERR_CTP_BODY_TOO_LARGE")
      return tooLarge(reply, request.routeOptions.bodyLimit ?? usualLimit);
    const refusal = refusalOf(error, manners);
    if (refusal === undefined) {
      log(`${request.id} ${request.method} ${request.url} failed: ${error.stack ?? error.message}`);
      return write(reply, new ApiError(500, unexpected, "HTTPInternalServerError"));
    }
    if (refusal.status === 401) reply.header("www-authenticate", `Keystone uri="http://${request.host}/identity/v3"`);
    return write(reply, refusal);
  });
}

export const resourceNotFound = "The resource could not be found.";
const serverErred = "The server has either erred or is incapable of performing the requested operation.";

/** The refusal in the service's words; undefined for what is no refusal. */
function refusalOf(error: FastifyError, manners: Manners): ApiError | undefined {
  const { malformed = "Malformed request body", mediaType, invalid } = manners;
  if (error instanceof MalformedBody) return new ApiError(400, malformed, "HTTPBadRequest");
  if (error instanceof InvalidInput && invalid !== undefined) return new ApiError(400, invalid(error), error.type);
  if (error instanceof ApiError) return error;
  if (error.code === "FST_ERR_CTP_INVALID_MEDIA_TYPE")
    return mediaType ?? new ApiError(415, "Unsupported Content-Type");
  const isRefusal = error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500;
  return isRefusal ? new ApiError(error.statusCode ?? 400, error.message, "HTTPBadRequest") : undefined;
}

/** oslo.middleware's answer, which stands in front of the service. */
function tooLarge(reply: FastifyReply, limit: number): FastifyReply {
  const page = webobPage(413, `Request is too large. Larger than max_request_body_size (${limit}).`);
  return reply.code(413).type("text/html; charset=UTF-8").send(page);
}

/** A 404 as WebOb's page, where no code of the service is asked. */
export function webobNotFound(reply: FastifyReply): FastifyReply {
  return reply.code(404).type("text/html; charset=UTF-8").send(webobPage(404, resourceNotFound));
}

/** Keystone's form, which its middleware also answers in front of the other services for a missing token. */
export function keystoneBody(error: ApiError): unknown {
  const { status: code, message, extra } = error;
  return { error: { code, ...extra, message, title: reasonPhrase[code] ?? "Error" } };
}

/** The key of Nova's and Cinder's error bodies, by status. */
const faultNames: Record<number, string> = {
  400: "badRequest",
  403: "forbidden",
  404: "itemNotFound",
  405: "badMethod",
  409: "conflictingRequest",
  413: "overLimit",
  415: "badMediaType",
  429: "overLimit",
  501: "notImplemented",
  503: "serviceUnavailable",
};

/** Nova's and Cinder's form: `{itemNotFound: {code, message}}`. A missing token is answered by Keystone's middleware before them. */
export function namedFaultBody(error: ApiError): unknown {
  if (error.status === 401) return keystoneBody(error);
  return { [faultNames[error.status] ?? "computeFault"]: { code: error.status, message: error.message } };
}
