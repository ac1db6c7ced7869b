import type { FastifyError, FastifyInstance, FastifyReply } from "fastify";
import { ApiError } from "./api-error.ts";

/** Writes a refusal in a service's own form. */
export type FaultWriter = (reply: FastifyReply, error: ApiError) => unknown;

/**
 * Makes a service answer every failure in its own form: refusals, unknown paths, malformed bodies, and bugs. Bugs are logged with the
 * request id that the client is given.
 */
export function answerFaults(service: FastifyInstance, write: FaultWriter, log: (line: string) => void): void {
  service.setNotFoundHandler((_request, reply) =>
    write(reply, new ApiError(404, "The resource could not be found.", "HTTPNotFound")),
  );
  service.setErrorHandler((error: FastifyError, request, reply) => {
    if (error instanceof ApiError) {
      if (error.status === 401) reply.header("www-authenticate", `Keystone uri="http://${request.host}/identity/v3"`);
      return write(reply, error);
    }
    if (error.statusCode !== undefined && error.statusCode < 500) {
      return write(reply, new ApiError(error.statusCode, error.message, "HTTPBadRequest"));
    }
    log(`${request.id} ${request.method} ${request.url} failed: ${error.stack ?? error.message}`);
    const words = "The server has either erred or is incapable of performing the requested operation.";
    return write(reply, new ApiError(500, `${words} ${error.message}`, "HTTPInternalServerError"));
  });
}

/** HTTP reason phrases that the services put into their error bodies. */
export const reasonPhrase: Record<number, string> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  410: "Gone",
  411: "Length Required",
  412: "Precondition Failed",
  413: "Request Entity Too Large",
  415: "Unsupported Media Type",
  416: "Requested Range Not Satisfiable",
  422: "Unprocessable Entity",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
};

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
