import { neutron } from "./errors.ts";

export type Query = Record<string, string | string[] | undefined>;
type View = Record<string, unknown>;

/** Query keys that are not attributes. */
const controls = new Set(["fields", "limit", "marker", "page_reverse", "sort_key", "sort_dir"]);
const tagFilters = new Set(["tags", "tags-any", "not-tags", "not-tags-any"]);

const all = (value: string | string[] | undefined): string[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value];

/** Neutron's list: filters by attribute (several values of one are an "or"), tags, sorting, paging and field selection. */
export function selectViews(views: View[], query: Query, known: Iterable<string>): View[] {
  const attributes = new Set(known);
  const filters = Object.entries(query).filter(([key]) => !controls.has(key));
  const unknown = filters.map(([key]) => key).filter((key) => !tagFilters.has(key) && !attributes.has(key));
  if (unknown.length > 0) {
    throw neutron.badRequest(`['${unknown.join("', '")}'] is invalid attribute for filtering`);
  }
  const matching = views.filter((view) => filters.every(([key, value]) => matches(view, key, all(value))));
  return page(sort(matching, query), query).map((view) => pickFields(view, all(query.fields)));
}

function matches(view: View, key: string, wanted: string[]): boolean {
  if (tagFilters.has(key)) return matchesTags(view.tags as string[], key, wanted.join(",").split(","));
  const value = view[key];
  if (key === "fixed_ips")
    return wanted.every((pairText) => matchesFixedIp(value as Record<string, string>[], pairText));
  if (Array.isArray(value)) return wanted.some((text) => value.includes(text));
  if (typeof value === "boolean") return wanted.some((text) => isTrue(text) === value);
  if (value === null) return wanted.some((text) => text === "" || text === "null" || text === "None");
  return wanted.some((text) => text === String(value));
}

/** `fixed_ips=ip_address=10.0.0.5`, `fixed_ips=subnet_id=…` */
function matchesFixedIp(ips: Record<string, string>[], pairText: string): boolean {
  const at = pairText.indexOf("=");
  const [key, text] = [pairText.slice(0, at), pairText.slice(at + 1)];
  if (key === "ip_address_substr") return ips.some((ip) => ip.ip_address?.includes(text) === true);
  return ips.some((ip) => ip[key] === text);
}

function matchesTags(tags: string[], key: string, wanted: string[]): boolean {
  const every = wanted.every((tag) => tags.includes(tag));
  const some = wanted.some((tag) => tags.includes(tag));
  return { tags: every, "tags-any": some, "not-tags": !every, "not-tags-any": !some }[key] ?? true;
}

function isTrue(text: string): boolean {
  return ["true", "1", "yes"].includes(text.toLowerCase());
}

function sort(views: View[], query: Query): View[] {
  const keys = all(query.sort_key);
  const directions = all(query.sort_dir);
  if (keys.length === 0) return views;
  return views.toSorted((a, b) => {
    for (const [index, key] of keys.entries()) {
      const order = String(a[key] ?? "").localeCompare(String(b[key] ?? ""));
      if (order !== 0) return directions[index] === "desc" ? -order : order;
    }
    return 0;
  });
}

function page(views: View[], query: Query): View[] {
  const [marker] = all(query.marker);
  const from = marker === undefined ? 0 : views.findIndex((view) => view.id === marker) + 1;
  const limit = Number(all(query.limit)[0] ?? 0);
  return limit > 0 ? views.slice(from, from + limit) : views.slice(from);
}

function pickFields(view: View, fields: string[]): View {
  if (fields.length === 0) return view;
  return Object.fromEntries(Object.entries(view).filter(([key]) => fields.includes(key)));
}
