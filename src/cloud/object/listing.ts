import type { FastifyReply } from "fastify";
import { isTrue } from "./headers.ts";
import { listingLimit } from "./limits.ts";
import { bareRefusal } from "./refusals.ts";

/** One line of a listing: an object or container, or a "folder" that a delimiter made. */
export type Entry<T> = { name: string; item: T } | { subdir: string };

export interface ListingQuery {
  prefix?: string;
  delimiter?: string;
  marker?: string;
  end_marker?: string;
  limit?: string;
  format?: string;
  reverse?: string;
  path?: string;
  /** Present: every version, in containers that keep them. */
  versions?: string;
}

/**
 * Swift's listing of names in order, with prefix, path, delimiter, markers, limit, and backwards. `items` must be sorted by name.
 * @throws ApiError 412 for a limit that is too large
 */
export function listNames<T extends { name: string }>(items: T[], query: ListingQuery): Entry<T>[] {
  const limit = limitOf(query.limit);
  const backwards = isTrue(query.reverse);
  const all = backwards ? entriesOf(items, query).toReversed() : entriesOf(items, query);
  const { marker = "", end_marker: end = "" } = query;
  const isAfter = (name: string) => marker === "" || (backwards ? name < marker : name > marker);
  const isBefore = (name: string) => end === "" || (backwards ? name > end : name < end);
  return all.filter((entry) => isAfter(nameOf(entry)) && isBefore(nameOf(entry))).slice(0, limit);
}

const nameOf = <T>(entry: Entry<T>): string => ("subdir" in entry ? entry.subdir : entry.name);

/** The names that begin as asked, what lies below a delimiter as one. */
function entriesOf<T extends { name: string }>(items: T[], query: ListingQuery): Entry<T>[] {
  const folder = query.path === undefined || query.path === "" ? "" : `${query.path.replace(/(?<!\/)\/+$/, "")}/`;
  const prefix = query.path === undefined ? (query.prefix ?? "") : folder;
  const delimiter = query.path === undefined ? (query.delimiter ?? "") : "/";
  const seen = new Set<string>();
  return items.flatMap((item): Entry<T>[] => {
    if (!item.name.startsWith(prefix)) return [];
    const cut = delimiter === "" ? -1 : item.name.indexOf(delimiter, prefix.length);
    if (query.path !== undefined) {
      // the old way of folders: objects at this place, those that are folders themselves as well
      const isHere = cut < 0 || cut === item.name.length - 1;
      return isHere && item.name !== prefix ? [{ name: item.name, item }] : [];
    }
    if (cut < 0) return [{ name: item.name, item }];
    const subdir = item.name.slice(0, cut + delimiter.length);
    if (seen.has(subdir)) return [];
    seen.add(subdir);
    return [{ subdir }];
  });
}

/** @throws ApiError 412 */
export function limitOf(text: string | undefined): number {
  if (text === undefined || !/^\d+$/.test(text)) return listingLimit;
  if (Number(text) > listingLimit) throw bareRefusal(412, `Maximum limit is ${listingLimit}`);
  return Number(text);
}

/** JSON or XML where the client asks for it by `format` or `Accept`, else plain lines. */
function listingFormat({ format }: ListingQuery, accept = ""): "json" | "xml" | "plain" {
  if (format === "json" || format === "xml" || format === "plain") return format;
  if (format !== undefined) return "plain";
  if (accept.includes("application/json")) return "json";
  return /(?:application|text)\/xml/.test(accept) && !accept.includes("text/plain") ? "xml" : "plain";
}

/** `2026-01-02T03:04:05.678900`, as Swift's listings write it. */
export function listingTime(timestamp: number): string {
  const [, fraction = ""] = timestamp.toFixed(5).split(".");
  return `${new Date(Math.floor(timestamp) * 1000).toISOString().slice(0, 19)}.${fraction}0`;
}

/** Whose form was not asked for by name depends on what the client takes. */
function variesWith({ format }: ListingQuery): Record<string, string> {
  return format === undefined ? { vary: "Accept" } : {};
}

/** What a HEAD says of the listing that it stands for. */
export function emptyListing(query: ListingQuery, accept: string | undefined): Record<string, string> {
  const types = { json: "application/json", xml: "application/xml", plain: "text/plain" };
  return { "content-type": `${types[listingFormat(query, accept)]}; charset=utf-8`, ...variesWith(query) };
}

/** How one kind of listing is written. */
interface ListingForm<T> {
  /** The element of the whole and of a line in XML. */
  elements: [string, string];
  /** Of the account or container. */
  name: string;
  fields(item: T): Record<string, unknown>;
}

/** Answers a listing as the client takes it: plain text has a name a line, and 204 for none. */
export function sendListing<T extends { name: string }>(
  reply: FastifyReply,
  entries: Entry<T>[],
  { elements, name, fields }: ListingForm<T>,
): FastifyReply {
  const { query, headers } = reply.request;
  const format = listingFormat(query as ListingQuery, headers.accept);
  reply.headers(variesWith(query as ListingQuery));
  const rows = entries.map((entry) => ("subdir" in entry ? entry : fields(entry.item)));
  if (format === "json") return reply.type("application/json; charset=utf-8").send(JSON.stringify(rows));
  if (format === "plain") {
    const text = entries.map((entry) => `${nameOf(entry)}\n`).join("");
    return reply
      .code(text === "" ? 204 : 200)
      .type("text/plain; charset=utf-8")
      .send(text === "" ? undefined : text);
  }
  const [outer, inner] = elements;
  const lines = rows.map((row) => {
    if ("subdir" in row)
      return `<subdir name=${attribute(String(row.subdir))}><name>${xml(row.subdir)}</name></subdir>`;
    const cells = Object.entries(row).filter(([key]) => xmlFields.has(key));
    return `<${inner}>${cells.map(([key, value]) => `<${key}>${xml(value)}</${key}>`).join("")}</${inner}>`;
  });
  return reply
    .type("application/xml; charset=utf-8")
    .send(`<?xml version="1.0" encoding="UTF-8"?>\n<${outer} name=${attribute(name)}>${lines.join("")}</${outer}>`);
}

/** What Swift writes in XML; JSON has more. */
const xmlFields = new Set(["name", "hash", "bytes", "content_type", "last_modified", "count"]);

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const xml = (value: unknown): string => String(value).replace(/[&<>]/g, (one) => entities[one] ?? "");
const attribute = (value: string): string => `"${value.replace(/[&<>"]/g, (one) => entities[one] ?? "")}"`;
