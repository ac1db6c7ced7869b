import type { FastifyReply } from "fastify";
import { header } from "../identity/tokens.ts";
import type { ObjectRequest } from "./object-access.ts";
import type { StoredObject } from "./records.ts";
import { htmlType, plainRefusal } from "./refusals.ts";

// What a client asks for on condition only, of an object that it reads or copies (RFC 9110 §13).

/** The status of a condition that does not hold: 412, or 304 where the client has it already. */
export function unmet(request: ObjectRequest, { timestamp }: StoredObject, etag: string): 304 | 412 | undefined {
  const [ifMatch, ifNoneMatch] = [header(request, "if-match"), header(request, "if-none-match")];
  const changedAt = Math.ceil(timestamp) * 1000;
  const [since, unmodified] = ["if-modified-since", "if-unmodified-since"].map((name) =>
    Date.parse(header(request, name) ?? ""),
  );
  if (ifMatch !== undefined && !matches(ifMatch, etag)) return 412;
  if (ifMatch === undefined && unmodified !== undefined && changedAt > unmodified) return 412;
  if (ifNoneMatch !== undefined) return matches(ifNoneMatch, etag) ? 304 : undefined;
  return since !== undefined && changedAt <= since ? 304 : undefined;
}

/** Answers so, with what else is said of the object. */
export function sendUnmet(
  reply: FastifyReply,
  status: 304 | 412,
  headers: Record<string, string | number> = {},
): FastifyReply {
  reply.code(status).headers(headers);
  if (status === 412) reply.type(htmlType).removeHeader("accept-ranges");
  return reply.send();
}

/** A range that is only wanted of what the client knows. */
export function holdsIfRange(request: ObjectRequest, { timestamp }: StoredObject, etag: string): boolean {
  const condition = header(request, "if-range");
  if (condition === undefined) return true;
  const time = Date.parse(condition);
  return Number.isNaN(time) ? matches(condition, etag) : Math.ceil(timestamp) * 1000 <= time;
}

/** A list of quoted or bare ETags, or `*`. */
function matches(condition: string, etag: string): boolean {
  return condition.split(",").some((item) => ["*", etag].includes(item.trim().replace(/^W\//, "").replaceAll('"', "")));
}

/** Whether a PUT is to make an object that is not there; as in Swift, no other condition is understood. @throws ApiError 400 */
export function demandsNew(request: ObjectRequest): boolean {
  const condition = header(request, "if-none-match");
  if (condition === undefined || condition.trim() === "*") return condition !== undefined;
  throw plainRefusal(400, "If-None-Match only supports *");
}
