import { createHmac, timingSafeEqual } from "node:crypto";
import { BlockList, isIPv6 } from "node:net";
import type { FastifyRequest } from "fastify";
import { now } from "../clock/clock.ts";
import { ApiError } from "../http/api-error.ts";
import type { Container, ObjectTables, StoredObject } from "./records.ts";

/** The query of a temporary address. */
export interface TemporaryUrlQuery {
  temp_url_sig?: string;
  temp_url_expires?: string;
  /** Names that begin so, instead of one name. */
  temp_url_prefix?: string;
  /** Who may come: an address or a range of them. */
  temp_url_ip_range?: string;
  /** What a browser is to call it. */
  filename?: string;
  /** Present: to be shown and not kept. */
  inline?: string;
}

export function isTemporaryUrl(query: TemporaryUrlQuery): boolean {
  return query.temp_url_sig !== undefined || query.temp_url_expires !== undefined;
}

/** Which methods a signature for another allows too, as in Swift. */
const impliedBy: Record<string, string[]> = { HEAD: ["HEAD", "GET", "PUT", "POST"] };
const digests: Record<number, string> = { 40: "sha1", 64: "sha256", 128: "sha512" };

/**
 * Lets the bearer of a temporary address pass: signed with a key of the container or the account, for this method and object (or for all
 * names that begin so), until then, from there.
 * @throws ApiError 401
 */
export function demandTemporaryUrl(
  tables: ObjectTables,
  projectId: string,
  container: Container | undefined,
  { method, query, url, ip }: Pick<FastifyRequest, "method" | "query" | "url" | "ip">,
): void {
  const asked = query as TemporaryUrlQuery;
  const {
    temp_url_sig = "",
    temp_url_expires: expires = "",
    temp_url_prefix: prefix,
    temp_url_ip_range: range,
  } = asked;
  const path = decodeURIComponent(url.split("?", 1)[0] ?? "").replace(/^.*?(?=\/v1\/)/, "");
  const [, account = "", name = "", object = ""] = /^\/v1\/([^/]+)\/([^/]+)\/(.*)$/s.exec(path) ?? [];
  const seconds = /^\d+$/.test(expires) ? Number(expires) : Date.parse(expires) / 1000;
  const { digest, signature } = digestOf(temp_url_sig);
  const signedPath = prefix === undefined ? path : `prefix:/v1/${account}/${name}/${prefix}`;
  const keys = [container?.metadata ?? {}, tables.accounts.get(projectId)?.metadata ?? {}].flatMap((metadata) =>
    ["temp-url-key", "temp-url-key-2"].flatMap((key) => metadata[key] ?? []),
  );
  const isValid = (key: string, signed: string) => {
    if (digest === undefined) return false;
    const lines = [signed, seconds, signedPath].join("\n");
    const whole = range ? `ip=${range}\n${lines}` : lines;
    const wanted = createHmac(digest, key).update(whole).digest("hex");
    const given = Buffer.from(signature);
    return given.length === wanted.length && timingSafeEqual(Buffer.from(wanted), given);
  };
  const methods = impliedBy[method] ?? [method];
  const passes =
    seconds > now() / 1000 &&
    (prefix === undefined || object.startsWith(prefix)) &&
    (!range || isWithin(ip, range)) &&
    keys.some((key) => methods.some((signed) => isValid(key, signed)));
  if (!passes) throw new ApiError(401, "401 Unauthorized: Temp URL invalid\n", "text");
}

/** A signature in hex, whose length tells the digest, or as `sha256:…` in base64. */
function digestOf(text: string): { digest: string | undefined; signature: string } {
  const [, named, base64 = ""] = /^(sha1|sha256|sha512):(.+)$/.exec(text) ?? [];
  if (named !== undefined) return { digest: named, signature: Buffer.from(base64, "base64").toString("hex") };
  return { digest: digests[text.length], signature: text.toLowerCase() };
}

/** Whether an address lies in a range, `10.0.0.0/8`, or is the one. */
function isWithin(address: string, range: string): boolean {
  const [network = "", bits] = range.split("/");
  const family = isIPv6(network) ? "ipv6" : "ipv4";
  const plain = address.replace(/^::ffff:/, "");
  const list = new BlockList();
  try {
    list.addSubnet(network, Number(bits ?? (family === "ipv6" ? 128 : 32)), family);
  } catch {
    return false; // no range
  }
  return list.check(plain, isIPv6(plain) ? "ipv6" : "ipv4");
}

/**
 * Who may upload by a temporary address may not make a manifest: that would let him read what he names.
 * @throws ApiError 400
 */
export function demandNoPointer({ query, headers }: Pick<FastifyRequest, "query" | "headers">): void {
  if (!isTemporaryUrl(query as TemporaryUrlQuery)) return;
  for (const name of ["X-Object-Manifest", "X-Symlink-Target", "X-Copy-From"]) {
    if (headers[name.toLowerCase()] === undefined) continue;
    throw new ApiError(400, `The header '${name}' is not allowed in this tempurl`, "text");
  }
}

/** How a browser is told to take an object from a temporary address, and until when. */
export function dispositionOf(query: TemporaryUrlQuery, object: StoredObject): Record<string, string> {
  const { filename, inline, temp_url_expires: expires = "" } = query;
  const named = (kind: string, name: string) =>
    `${kind}; filename="${quoted(name).replaceAll("%20", " ")}"; filename*=UTF-8''${quoted(name)}`;
  const own = object.contentDisposition ?? named("attachment", object.name.replace(/\/+$/, "").split("/").at(-1) ?? "");
  const asked = filename === undefined ? own : named("attachment", filename);
  const shown = filename === undefined ? "inline" : named("inline", filename);
  const seconds = /^\d+$/.test(expires) ? Number(expires) : Date.parse(expires) / 1000;
  return {
    "content-disposition": (inline === undefined ? asked : shown).replaceAll("\n", "%0A"),
    expires: new Date(seconds * 1000).toUTCString(),
  };
}

/** As Python's `quote` writes it: all but letters, digits, `_.-~` and slashes in percent. */
function quoted(text: string): string {
  return encodeURIComponent(text)
    .replaceAll("%2F", "/")
    .replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
}
