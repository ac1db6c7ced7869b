import type { FastifyReply } from "fastify";
import { ApiError } from "../http/api-error.ts";
import { keystoneBody } from "../http/faults.ts";
import { webobPage } from "../http/pages.ts";
import { reasonPhrase } from "../http/reasons.ts";

/** Marks a refusal whose words Glance puts below the status' own ones. */
const below = "below";

/** What a status says in general, of WebOb. */
const general: Record<number, string> = {
  403: "Access was denied to this resource.",
  404: "The resource could not be found.",
  409: "There was a conflict when trying to complete your request.",
  416: "The Range requested is not available.",
};

/** Glance's refusals in its own words. */
export const glance = {
  badRequest: (message: string) => new ApiError(400, message),
  forbidden: (message: string) => new ApiError(403, message),
  forbiddenBelow: (message: string) => new ApiError(403, message, below),
  conflict: (message: string) => new ApiError(409, message),
  conflictBelow: (message: string) => new ApiError(409, message, below),
  unsupported: (type: string) =>
    new ApiError(415, `The request media type ${type} is not supported by this server.`, below),
  notFound: (message = "The resource could not be found.") => new ApiError(404, message),
  range: (message: string) => new ApiError(416, message, below),
  notAuthorized: (action: string) => new ApiError(403, `You are not authorized to complete ${action} action.`),
  notOwned: () => new ApiError(403, "You do not own this image"),
};

/** Writes a refusal as WebOb does: HTML, JSON or plain text, whichever the client takes. */
export function writeFault(reply: FastifyReply, error: ApiError): FastifyReply {
  reply.code(error.status);
  if (error.status === 401) return reply.send(keystoneBody(error));
  const reason = reasonPhrase[error.status] ?? "Error";
  const status = `${error.status} ${reason}`;
  const [explanation, detail] =
    error.type === below ? [general[error.status] ?? "", error.message] : [error.message, ""];
  const { accept = "" } = reply.request.headers;
  if (/text\/html|\*\/\*/.test(accept)) {
    return reply.type("text/html; charset=UTF-8").send(webobPage(error.status, explanation, detail));
  }
  if (accept.includes("application/json")) {
    return reply.send({ message: `${explanation}<br /><br />\n${detail}\n\n`, code: status, title: reason });
  }
  return reply.type("text/plain; charset=UTF-8").send(`${status}\n\n${explanation}\n\n ${detail}  `);
}
