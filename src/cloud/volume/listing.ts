import type { FastifyRequest } from "fastify";
import { booleanLike, parseBody } from "../http/body.ts";
import { asTime, comparisons } from "../http/compared-times.ts";
import { isAdmin, type Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import { cinder } from "./errors.ts";

// Cinder's lists: filters, sorting and pages are the same for volumes, snapshots, backups and the rest.

type Query = Record<string, string | undefined>;

/** Cinder's `osapi_max_limit`. */
const maximum = 1000;

/** What a list is made from. */
export interface Listing<T> {
  /** Its records in the order in which they were made. */
  records: T[];
  /** A record's fields that can be filtered and sorted by, as they are shown. */
  fields(record: T): Record<string, unknown>;
  /** What others than administrators may filter by. */
  filters: readonly string[];
  /** Absent where the list is the same for every project. */
  projectOf?(record: T): string;
  missing(marker: string): Error;
}

/** A record with its {@link Listing.fields}. */
interface Row<T> {
  record: T;
  fields: Record<string, unknown>;
}

/** One page of a list. */
export interface Page<T> {
  items: T[];
  /** How many there are on all pages, where that was asked for (from 3.45 on). */
  count?: number;
  /** The query of the next page. */
  next?: URLSearchParams;
}

/** @throws ApiError 400, 404 in Cinder's words */
export function pageOf<T extends { id: string }>(
  listing: Listing<T>,
  request: Pick<FastifyRequest, "query" | "scope" | "microversion">,
): Page<T> {
  const { scope, microversion } = request;
  const query = request.query as Query;
  const { limit, marker, offset, sort, sort_key, sort_dir, all_tenants, with_count, ...asked } = query;
  const filters = allowedFilters(asked, listing.filters, scope, microversion);
  const everyone = isAdmin(scope) && all_tenants !== undefined && !/^(0|false|f|no|n|off)$/i.test(all_tenants);
  const { projectOf: owner } = listing;
  const matching = listing.records
    .filter((record) => owner === undefined || everyone || owner(record) === projectOf(scope).id)
    .map((record) => ({ record, fields: listing.fields(record) }))
    .filter(({ fields }) => matches(fields, filters))
    .toReversed();
  const sorted = sortedBy(matching, sortKeys({ sort, sort_key, sort_dir }));
  const place = marker === undefined ? -1 : sorted.findIndex(({ id }) => id === marker);
  if (marker !== undefined && place < 0) throw listing.missing(marker);
  const from = place + 1 + count("offset", offset, 0);
  const size = Math.min(count("limit", limit, maximum), maximum);
  const items = sorted.slice(from, from + size);
  const counted = microversion >= 45 && with_count !== undefined && parseBody(booleanLike, with_count);
  const last = items.at(-1);
  const isFull = last !== undefined && size <= (counted ? sorted.length : items.length);
  return {
    items,
    ...(counted ? { count: sorted.length } : {}),
    ...(isFull ? { next: new URLSearchParams({ ...(query as Record<string, string>), marker: last.id }) } : {}),
  };
}

/** From 3.31 on unknown filters are refused, before they were overlooked; administrators may filter by everything. */
function allowedFilters(asked: Query, allowed: readonly string[], scope: Scope, microversion: number): Query {
  if (isAdmin(scope)) return asked;
  const base = (name: string) => (microversion >= 34 ? name.replace(/~$/, "") : name);
  const invalid = Object.keys(asked).filter((name) => !allowed.includes(base(name)));
  if (invalid.length === 0) return asked;
  if (microversion >= 31) throw cinder.badRequest(`Invalid filters ${invalid.join(",")} are found in query options.`);
  return Object.fromEntries(Object.entries(asked).filter(([name]) => allowed.includes(name)));
}

function matches(fields: Record<string, unknown>, filters: Query): boolean {
  return Object.entries(filters).every(([name, wanted = ""]) => {
    if (name === "metadata" || name === "extra_specs") return hasPairs(fields[name], wanted);
    if (name === "created_at" || name === "updated_at") return isWithin(String(fields[name] ?? ""), wanted);
    const like = name.endsWith("~");
    const field = like ? name.slice(0, -1) : name;
    if (!Object.hasOwn(fields, field)) return false;
    const value = String(fields[field] ?? "").toLowerCase();
    return like ? value.includes(wanted.toLowerCase()) : value === wanted.toLowerCase();
  });
}

/** Clients write the wanted pairs as Python does: `{'role': 'data'}`. */
function hasPairs(value: unknown, wanted: string): boolean {
  const has = (value ?? {}) as Record<string, unknown>;
  const pairs = [...wanted.matchAll(/u?(['"])(.*?)\1\s*:\s*u?(['"])(.*?)\3/g)];
  return pairs.length > 0 && pairs.every(([, , key = "", , text]) => has[key] === text);
}

/** `gt:2026-01-02T03:04:05,lt:…` (from 3.60 on). @throws ApiError 400 */
function isWithin(value: string, wanted: string): boolean {
  return wanted.split(",").every((part) => {
    const [operator = "", ...rest] = part.split(":");
    const holds = comparisons[operator];
    if (holds === undefined) throw cinder.badRequest(`Invalid ${operator} operator`);
    const time = asTime(rest.join(":"));
    if (Number.isNaN(time)) throw cinder.badRequest(`Invalid ${rest.join(":")} value`);
    return value !== "" && holds(asTime(value) - time);
  });
}

/** @throws ApiError 400 */
function sortKeys({ sort, sort_key, sort_dir }: Query): [string, "asc" | "desc"][] {
  if (sort !== undefined && (sort_key !== undefined || sort_dir !== undefined)) {
    throw cinder.badRequest(
      "The 'sort_key' and 'sort_dir' parameters are deprecated and cannot be used with the 'sort' parameter.",
    );
  }
  const asked = sort ?? `${sort_key ?? "created_at"}:${sort_dir ?? "desc"}`;
  return asked.split(",").map((part) => {
    const [key = "", direction = ""] = part.trim().split(":");
    if (direction !== "" && direction !== "asc" && direction !== "desc") {
      throw cinder.invalidInput("Unknown sort direction, must be 'desc' or 'asc'.");
    }
    return [key.trim(), direction === "asc" ? "asc" : "desc"];
  });
}

/** @param newestFirst what is equal stays in this order, or in the opposite one for `asc` */
function sortedBy<T>(newestFirst: Row<T>[], keys: [string, "asc" | "desc"][]): T[] {
  const [[firstKey, firstDirection] = ["created_at", "desc"]] = keys;
  const rows = firstKey === "created_at" && firstDirection === "asc" ? newestFirst.toReversed() : newestFirst;
  for (const [key] of keys) {
    if (rows.some((row) => !Object.hasOwn(row.fields, key))) throw cinder.invalidInput("Invalid sort key");
  }
  const order = (a: unknown, b: unknown) => String(a ?? "").localeCompare(String(b ?? ""), "en", { numeric: true });
  return rows
    .toSorted((a, b) => {
      for (const [key, direction] of keys) {
        const difference = order(a.fields[key], b.fields[key]);
        if (difference !== 0) return direction === "asc" ? difference : -difference;
      }
      return 0;
    })
    .map(({ record }) => record);
}

function count(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^-?\d+$/.test(text)) throw cinder.badRequest(`${name === "limit" ? "limit param" : name} must be an integer`);
  if (Number(text) < 0)
    throw cinder.badRequest(name === "limit" ? "limit param must be positive" : `${name} must be >= 0`);
  return Number(text);
}
