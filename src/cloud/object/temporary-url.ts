import { createHmac, timingSafeEqual } from "node:crypto";
import { BlockList, isIPv6 } from "node:net";
import type { FastifyRequest } from "fastify";
import { now } from "../clock/clock.ts";
import { pythonQuoted } from "../http/percent.ts";
import type { Caller } from "./caller.ts";
import type { ObjectTables, StoredObject } from "./records.ts";
import { bareRefusal } from "./refusals.ts";

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

/** The metadata of an account or container that holds its keys. */
export const temporaryUrlKeys = ["temp-url-key", "temp-url-key-2"];

const temporaryUrlKeysOfQuery = new Set([
  ...["temp_url_sig", "temp_url_expires", "temp_url_prefix", "temp_url_ip_range", "filename", "inline"],
]);

export function isTemporaryUrl(query: TemporaryUrlQuery): boolean {
  return query.temp_url_sig !== undefined || query.temp_url_expires !== undefined;
}

/** Which methods a signature for another allows too, as in Swift. */
const impliedBy: Record<string, string[]> = { HEAD: ["HEAD", "GET", "PUT", "POST"] };
const methods = ["GET", "HEAD", "PUT", "POST", "DELETE"];
const digests: Record<number, string> = { 40: "sha1", 64: "sha256", 128: "sha512" };

/**
 * Who comes with a temporary URL: signed with a key of the account or the container, for this method and object (or for all names that
 * begin so), until then, from there. A container's key opens that container only.
 * @throws ApiError 401
 */
export function bearerOf(
  tables: ObjectTables,
  { method, query, url, ip }: Pick<FastifyRequest, "method" | "query" | "url" | "ip">,
): Caller {
  const {
    temp_url_sig: given = "",
    temp_url_expires: expires = "",
    temp_url_prefix: prefix,
    temp_url_ip_range: range,
  } = query as TemporaryUrlQuery;
  const path = decodeURIComponent(url.split("?", 1)[0] ?? "").replace(/^.*?(?=\/v1\/)/, "");
  const [, account = "", name = "", object = ""] = /^\/v1\/([^/]+)\/([^/]+)\/(.*)$/s.exec(path) ?? [];
  const projectId = /^AUTH_(.+)$/s.exec(account)?.[1] ?? "";
  const containerId = `${projectId}/${name}`;
  const seconds = secondsOf(expires);
  const { digest, signature } = digestOf(given);
  const signedPath = prefix === undefined ? path : `prefix:/v1/${account}/${name}/${prefix}`;
  const isSignedWith = (key: string) =>
    (impliedBy[method] ?? [method]).some((signed) => {
      if (digest === undefined) return false;
      const lines = [signed, seconds, signedPath].join("\n");
      // headers come as Latin-1, whatever they are
      const wanted = createHmac(digest, Buffer.from(key, "latin1")).update(range ? `ip=${range}\n${lines}` : lines);
      const [hex, other] = [Buffer.from(wanted.digest("hex")), Buffer.from(signature)];
      return hex.length === other.length && timingSafeEqual(hex, other);
    });
  const mayPass =
    methods.includes(method) &&
    object.replaceAll("/", "") !== "" &&
    seconds > now() / 1000 &&
    (prefix === undefined || object.startsWith(prefix)) &&
    (!range || isWithin(ip, range));
  if (mayPass && keysOf(tables.accounts.get(projectId)?.metadata).some(isSignedWith)) {
    return { kind: "bearer", projectId };
  }
  if (mayPass && keysOf(tables.containers.get(containerId)?.metadata).some(isSignedWith)) {
    return { kind: "bearer", projectId, containerId };
  }
  throw bareRefusal(401, "401 Unauthorized: Temp URL invalid\n");
}

const keysOf = (metadata: Record<string, string> = {}): string[] =>
  temporaryUrlKeys.flatMap((key) => metadata[key] ?? []);

/** Seconds since 1970, also written as a date. */
function secondsOf(expires: string): number {
  return /^\d+$/.test(expires) ? Number(expires) : Date.parse(expires) / 1000;
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
 * Who may upload by a temporary URL may not make a pointer: whoever reads it later would be led to what its maker may not read.
 * @throws ApiError 400
 */
export function demandNoPointer({ headers }: Pick<FastifyRequest, "headers">, caller: Caller): void {
  if (caller.kind !== "bearer") return;
  for (const name of ["X-Object-Manifest", "X-Symlink-Target"]) {
    if (headers[name.toLowerCase()] === undefined) continue;
    throw bareRefusal(400, `The header '${name}' is not allowed in this tempurl`);
  }
}

/** All that a temporary URL says: no other key of the query counts beside. */
export function keepTemporaryUrlOnly(query: Record<string, unknown>): void {
  for (const key of Object.keys(query)) {
    if (!temporaryUrlKeysOfQuery.has(key)) delete query[key];
  }
}

/** What the bearer of a temporary URL is told of an object's metadata: what is named public. */
export function publicHeaders(headers: Record<string, string>): Record<string, string> {
  const isTold = (name: string) => !name.startsWith("x-object-meta-") || name.startsWith("x-object-meta-public-");
  return Object.fromEntries(Object.entries(headers).filter(([name]) => isTold(name)));
}

/** How a browser is told to take an object from a temporary address, and until when. */
export function dispositionOf(query: TemporaryUrlQuery, object: StoredObject): Record<string, string> {
  const { filename, inline, temp_url_expires: expires = "" } = query;
  const named = (kind: string, name: string) =>
    `${kind}; filename="${pythonQuoted(name).replaceAll("%20", " ")}"; filename*=UTF-8''${pythonQuoted(name)}`;
  const own = object.contentDisposition ?? named("attachment", object.name.replace(/\/+$/, "").split("/").at(-1) ?? "");
  const asked = filename === undefined ? own : named("attachment", filename);
  const shown = filename === undefined ? "inline" : named("inline", filename);
  return {
    "content-disposition": (inline === undefined ? asked : shown).replaceAll("\n", "%0A"),
    expires: new Date(secondsOf(expires) * 1000).toUTCString(),
  };
}
