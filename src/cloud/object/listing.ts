import type { FastifyReply } from "fastify";
/** One line of a listing: an object or container, or a "folder" that a delimiter made. */
export type Entry<T> = { name: string; item: T } | { subdir: string };

export interface ListingQuery {
  prefix?: string;
  delimiter?: string;
  marker?: string;
  end_marker?: string;
  limit?: string;
  format?: string;
  /** Present: every version, in containers that keep them. */
  versions?: string;
}

/** Swift gives at most this many lines; clients ask again with `marker`. */
const maximum = 10_000;

/** Swift's listing of names in order, with prefix, delimiter, markers and limit. `items` must be sorted by name. */
export function listNames<T extends { name: string }>(items: T[], query: ListingQuery): Entry<T>[] {
  const { prefix = "", delimiter = "", marker = "", end_marker: end } = query;
  const limit = Math.min(Number(query.limit ?? maximum), maximum);
  const result: Entry<T>[] = [];
  const seen = new Set<string>();
  for (const item of items) {
    if (result.length >= limit) break;
    if (!item.name.startsWith(prefix) || (end !== undefined && end !== "" && item.name >= end)) continue;
    const cut = delimiter === "" ? -1 : item.name.indexOf(delimiter, prefix.length);
    if (cut < 0) {
      if (item.name > marker) result.push({ name: item.name, item });
      continue;
    }
    const subdir = item.name.slice(0, cut + delimiter.length);
    if (subdir > marker && !seen.has(subdir)) {
      seen.add(subdir);
      result.push({ subdir });
    }
  }
  return result;
}

/** JSON where the client asks for it by `format` or `Accept`, else plain lines. */
export function wantsJson(query: ListingQuery, accept: string | undefined): boolean {
  if (query.format !== undefined) return query.format === "json";
  return accept?.includes("application/json") === true;
}

/** `2026-01-02T03:04:05.678900`, as Swift's listings write it. */
export function listingTime(timestamp: number): string {
  return `${new Date(timestamp * 1000).toISOString().slice(0, 23)}000`;
}

/** Answers a listing as plain text, a name a line; 204 for an empty one. */
export function sendLines<T extends { name: string }>(reply: FastifyReply, entries: Entry<T>[]): FastifyReply {
  const lines = entries.map((entry) => ("subdir" in entry ? entry.subdir : entry.name));
  return reply
    .code(lines.length === 0 ? 204 : 200)
    .type("text/plain; charset=utf-8")
    .send(lines.map((line) => `${line}\n`).join(""));
}
