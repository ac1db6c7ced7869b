import type { FastifyReply } from "fastify";
import { ApiError } from "../http/api-error.ts";
import { escaped } from "../http/pages.ts";
import { reasonPhrase } from "../http/reasons.ts";
import type { Caller } from "./caller.ts";

/** Swift's own words for each status. */
const words: Record<number, string> = {
  202: "The request is accepted for processing.",
  400: "The server could not comply with the request since it is either malformed or otherwise incorrect.",
  401: "This server could not verify that you are authorized to access the document you requested.",
  403: "Access was denied to this resource.",
  404: "The resource could not be found.",
  405: "The method is not allowed for this resource.",
  409: "There was a conflict when trying to complete your request.",
  411: "Content-Length header required.",
  412: "A precondition for this request was not met.",
  413: "The body of your request was too large for this server.",
  416: "The Range requested is not available.",
  422: "Unable to process the contained instructions",
  503: "The server is currently unavailable. Please try again at a later time.",
};

/** A refusal that says no more than its status. */
export function refusal(status: number): ApiError {
  return new ApiError(status, words[status] ?? "");
}

/** What is called HTML, as all is that says no type. */
export const htmlType = "text/html; charset=UTF-8";

/** Swift's page for a status, with its own words unless there are others. */
export function statusPage(status: number, message = words[status] ?? ""): string {
  return `<html><h1>${reasonPhrase[status] ?? "Error"}</h1><p>${escaped(message)}</p></html>`;
}

/** Answers that it was taken, with the page that says so. */
export function sendAccepted(reply: FastifyReply): FastifyReply {
  return reply.code(202).type(htmlType).send(statusPage(202));
}

/** A refusal whose body is the message alone, which Swift calls HTML all the same. */
export function bareRefusal(status: number, message: string): ApiError {
  return new ApiError(status, message, "html");
}

/** A refusal whose body is the message alone, as plain text. */
export function plainRefusal(status: number, message: string): ApiError {
  return new ApiError(status, message, "text");
}

export const notFound = (): ApiError => refusal(404);

/** Without a token one is asked to log in; with one that does not suffice one is refused. */
export function refuse(caller: Caller): ApiError {
  return refusal(caller.kind === "token" ? 403 : 401);
}

/** `404 Not Found`. */
export function statusLine(status: number): string {
  return `${status} ${status === 200 ? "OK" : (reasonPhrase[status] ?? "Error")}`;
}
