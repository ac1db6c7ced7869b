import { createHmac, timingSafeEqual } from "node:crypto";
import type { FastifyRequest } from "fastify";
import { now } from "../clock/clock.ts";
import { ApiError } from "../http/api-error.ts";
import type { Container, ObjectTables } from "./records.ts";

/** The query of a temporary address. */
export interface TemporaryUrlQuery {
  temp_url_sig?: string;
  temp_url_expires?: string;
}

export function isTemporaryUrl(query: TemporaryUrlQuery): boolean {
  return query.temp_url_sig !== undefined || query.temp_url_expires !== undefined;
}

/** Which methods a signature for another allows too, as in Swift. */
const impliedBy: Record<string, string[]> = { HEAD: ["HEAD", "GET", "PUT", "POST"] };
const digests: Record<number, string> = { 40: "sha1", 64: "sha256", 128: "sha512" };

/**
 * Lets the bearer of a temporary address pass: signed with a key of the container or the account, for this method and object, until then.
 * @throws ApiError 401
 */
export function demandTemporaryUrl(
  tables: ObjectTables,
  projectId: string,
  container: Container | undefined,
  { method, query, url }: Pick<FastifyRequest, "method" | "query" | "url">,
): void {
  const { temp_url_sig: signature = "", temp_url_expires: expires = "" } = query as TemporaryUrlQuery;
  const path = decodeURIComponent(url.split("?", 1)[0] ?? "").replace(/^.*?(?=\/v1\/)/, "");
  const seconds = /^\d+$/.test(expires) ? Number(expires) : Date.parse(expires) / 1000;
  const digest = digests[signature.length];
  const keys = [container?.metadata ?? {}, tables.accounts.get(projectId)?.metadata ?? {}].flatMap((metadata) =>
    ["temp-url-key", "temp-url-key-2"].flatMap((name) => metadata[name] ?? []),
  );
  const isValid = (key: string, signed: string) => {
    if (digest === undefined) return false;
    const wanted = createHmac(digest, key).update(`${signed}\n${seconds}\n${path}`).digest("hex");
    const given = Buffer.from(signature.toLowerCase());
    return given.length === wanted.length && timingSafeEqual(Buffer.from(wanted), given);
  };
  const methods = impliedBy[method] ?? [method];
  const passes = seconds > now() / 1000 && keys.some((key) => methods.some((signed) => isValid(key, signed)));
  if (!passes) throw new ApiError(401, "401 Unauthorized: Temp URL invalid");
}
