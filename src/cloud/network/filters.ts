import { type Attributes, readFilters, readSorts } from "./attributes.ts";
import { neutron } from "./errors.ts";

export type Query = Record<string, string | string[] | undefined>;
export type View = Record<string, unknown>;

/** Query keys that are not attributes. */
const controls = new Set(["fields", "limit", "marker", "page_reverse", "sort_key", "sort_dir"]);

const all = (value: string | string[] | undefined): string[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value];

/** What a list is made from. */
export interface Listed {
  /** As they are shown. */
  views: View[];
  attributes: Attributes;
  query: Query;
  /** The address that was asked, without its query, for the links to the pages beside this one. */
  url: string;
  /** What a marker is answered with that is none of the resources. */
  notFound: (id: string) => Error;
  /** Values that are not shown and yet filter. */
  hidden?: ((view: View) => View) | undefined;
}

/** A page of a list, and links where it is one of several. */
export interface Page {
  views: View[];
  links: { rel: "next" | "previous"; href: string }[];
}

/**
 * Neutron's list: filters by attribute (several values of one are an "or"), tags, sorting (at last by id), paging and field selection.
 * @throws ApiError 400 for unknown filters, sort keys and limits, 404 for an unknown marker
 */
export function selectPage({ views, attributes, query, url, notFound, hidden }: Listed): Page {
  const given = Object.entries(query).filter(([key]) => !controls.has(key));
  const filters = readFilters(
    attributes,
    given.map(([key, value]) => [key, all(value)]),
  );
  const nonEmpty = (value: string | string[] | undefined) => all(value).filter(Boolean);
  const sorts = readSorts(attributes, nonEmpty(query.sort_key), nonEmpty(query.sort_dir));
  const matching = views.filter((view) => {
    const seen = hidden === undefined ? view : { ...view, ...hidden(view) };
    return filters.every(([key, wanted]) => matches(seen, key, wanted));
  });
  const paging = readPaging(query);
  const page = paging === undefined ? sorted(matching, sorts) : cut(sorted(matching, sorts), views, paging, notFound);
  return {
    views: page.map((view) => pickFields(view, query)),
    links: paging === undefined ? [] : linksOf(page, query, url, paging),
  };
}

function matches(view: View, key: string, wanted: unknown[]): boolean {
  if (["tags", "tags-any", "not-tags", "not-tags-any"].includes(key)) {
    return matchesTags((view.tags ?? []) as string[], key, wanted.join(",").split(","));
  }
  if (key === "changed_since") return wanted.some((stamp) => String(view.updated_at) >= String(stamp));
  const value = view[key];
  if (key === "fixed_ips") return wanted.every((pair) => hasFixedIp(value as View[], pair as [string, string]));
  if (Array.isArray(value)) return wanted.some((one) => value.includes(one));
  return wanted.some((one) => one === value || (typeof value === "number" && String(value) === one));
}

/** `ip_address=10.0.0.5`, `subnet_id=…`, or a part of an address. */
function hasFixedIp(ips: View[], [key, wanted]: [string, string]): boolean {
  if (key === "ip_address_substr") return ips.some((ip) => String(ip.ip_address).includes(wanted));
  return ips.some((ip) => ip[key] === wanted);
}

function matchesTags(tags: string[], key: string, wanted: string[]): boolean {
  const every = wanted.every((tag) => tags.includes(tag));
  const some = wanted.some((tag) => tags.includes(tag));
  return { tags: every, "tags-any": some, "not-tags": !every, "not-tags-any": !some }[key] ?? true;
}

function sorted(views: View[], sorts: [string, "asc" | "desc"][]): View[] {
  const order: [string, "asc" | "desc"][] = [...sorts, ["id", "asc"]];
  return views.toSorted((a, b) => {
    for (const [key, direction] of order) {
      const compared = compare(a[key], b[key]);
      if (compared !== 0) return direction === "desc" ? -compared : compared;
    }
    return 0;
  });
}

/** As a database orders: nothing before something, numbers by value, text without regard to case. */
function compare(a: unknown, b: unknown): number {
  const [left, right] = [orderable(a), orderable(b)];
  if (left === undefined || right === undefined) return Number(left !== undefined) - Number(right !== undefined);
  return left < right ? -1 : left > right ? 1 : 0;
}

function orderable(value: unknown): string | number | undefined {
  if (value === null || value === undefined) return undefined;
  return typeof value === "number" || typeof value === "boolean" ? Number(value) : String(value).toLowerCase();
}

interface Paging {
  limit: number;
  marker: string | undefined;
  reverse: boolean;
}

/** Undefined where everything is asked for; a marker alone does not count. */
function readPaging(query: Query): Paging | undefined {
  const asked = all(query.limit)[0] ?? "0";
  if (!/^\s*\+?\d+\s*$/.test(asked)) throw neutron.badLimit(asked);
  const limit = Number(asked);
  if (limit === 0) return undefined;
  return { limit, marker: all(query.marker)[0], reverse: all(query.page_reverse)[0]?.toLowerCase() === "true" };
}

function cut(views: View[], known: View[], { limit, marker, reverse }: Paging, notFound: Listed["notFound"]): View[] {
  if (marker !== undefined && !known.some((view) => view.id === marker)) throw notFound(marker);
  const at = marker === undefined ? undefined : views.findIndex((view) => view.id === marker);
  if (at === -1) return [];
  if (reverse) return views.slice(0, at ?? views.length).slice(-limit);
  const from = at === undefined ? 0 : at + 1;
  return views.slice(from, from + limit);
}

function linksOf(page: View[], query: Query, url: string, { limit, reverse }: Paging): Page["links"] {
  const short = page.length < limit;
  const link = (rel: "next" | "previous", marker: unknown): Page["links"] => {
    const rest = Object.entries(query).filter(([key]) => key !== "marker" && key !== "page_reverse");
    const search = new URLSearchParams(
      rest.flatMap(([key, value]) => all(value).map((one): [string, string] => [key, one])),
    );
    if (marker !== undefined) search.append("marker", String(marker));
    if (rel === "previous") search.append("page_reverse", "True");
    return [{ rel, href: `${url}?${search}` }];
  };
  return [
    ...(short && !reverse ? [] : link("next", page.at(-1)?.id)),
    ...(short && reverse ? [] : link("previous", page[0]?.id)),
  ];
}

/** The fields that were asked for, all where none was. */
export function pickFields(view: View, query: Query): View {
  const fields = all(query.fields).filter(Boolean);
  if (fields.length === 0) return view;
  return Object.fromEntries(Object.entries(view).filter(([key]) => fields.includes(key)));
}
