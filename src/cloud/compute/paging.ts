import type { ApiError } from "../http/api-error.ts";
import { pythonRepr } from "../http/python-repr.ts";
import { nova } from "./errors.ts";

/** A query as it is parsed: what is given several times is a list. */
export type Query = Record<string, string | string[] | undefined>;

/** Most that Nova answers at once, `max_limit`. */
const maxLimit = 1000;

export const firstOf = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value[0] : value;

export const allOf = (value: string | string[] | undefined): string[] => (value === undefined ? [] : [value].flat());

/** What Nova says of a parameter that its query schemas refuse. */
export function badQuery(name: string, value: string, why: string): ApiError {
  return nova.badRequest(`Invalid input for query parameters ${name}. Value: ${value}. ${why}`);
}

/** `limit` and `offset`. @throws ApiError 400 */
function numberOf(query: Query, name: string): number | undefined {
  const text = firstOf(query[name]);
  if (text === undefined) return undefined;
  if (!/^[0-9]*$/.test(text)) throw badQuery(name, text, `${pythonRepr(text)} does not match '^[0-9]*$'`);
  if (text === "") throw badQuery(name, text, "'' is too short");
  return Number(text);
}

/** How many, at most {@link maxLimit}. */
function limitOf(query: Query): number {
  return Math.min(maxLimit, numberOf(query, "limit") ?? maxLimit);
}

/** The part of a list that `limit` and `offset` name; a limit of 0 is none. */
export function pageOf<T>(items: T[], query: Query): T[] {
  const offset = numberOf(query, "offset") ?? 0;
  return items.slice(offset, offset + (limitOf(query) || maxLimit));
}

/** The part of a list after the item that `marker` names. @throws ApiError 400 where there is none */
export function pageAfter<T>(
  items: T[],
  query: Query,
  idOf: (item: T) => string,
  missing = (marker: string) => `marker [${marker}] not found`,
): T[] {
  const limit = limitOf(query);
  const marker = firstOf(query.marker);
  const at = marker === undefined ? -1 : items.findIndex((item) => idOf(item) === marker);
  if (marker !== undefined && at < 0) throw nova.badRequest(missing(marker));
  return items.slice(at + 1, at + 1 + limit);
}

/** The link to the rest of a list, where a page is full: the query's parameters in their order, with the next marker. */
export function nextLinks(href: string, query: Query, count: number, last: string | undefined): unknown[] | undefined {
  const asked = numberOf(query, "limit") ?? maxLimit;
  if (last === undefined || count === 0 || count !== Math.min(asked, maxLimit)) return undefined;
  const parameters = new URLSearchParams();
  const names = Object.keys(query).toSorted();
  for (const name of names) parameters.set(name, name === "marker" ? last : (allOf(query[name]).at(-1) ?? ""));
  if (!names.includes("marker")) parameters.set("marker", last);
  return [{ rel: "next", href: `${href}?${parameters}` }];
}

/** @throws ApiError 400 for parameters that are not known, as Nova refuses them since 2.75 */
export function demandOnly(query: Query, known: string[]): void {
  const unknown = Object.keys(query).filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  const verb = unknown.length === 1 ? "was" : "were";
  throw nova.badRequest(
    `Additional properties are not allowed (${unknown.map(pythonRepr).join(", ")} ${verb} unexpected)`,
  );
}
