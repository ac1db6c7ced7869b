import { octavia } from "./errors.ts";

export type Query = Record<string, string | string[] | undefined>;

const auxiliary = [
  "limit",
  "marker",
  "sort",
  "sort_key",
  "sort_dir",
  "fields",
  "page_reverse",
  "project_id",
  "tenant_id",
];
const tagFilters = ["tags", "tags-any", "not-tags", "not-tags-any"];

type View = Record<string, unknown> & { id: string };

/**
 * A page of a list, as Octavia makes it: filters by field and by tag, sorting (`sort=name:asc,id`, or `sort_key` and `sort_dir`),
 * `limit` and `marker`, `fields`.
 * @param url the list's own address, without a query
 * @throws ApiError 400 for an unknown field, key, direction, marker or limit
 */
export function page(key: string, views: readonly View[], query: Query, url: string): Record<string, unknown> {
  const known = new Set(Object.keys(views[0] ?? {}));
  const filters = Object.entries(query).filter(([name]) => !auxiliary.includes(name) && !tagFilters.includes(name));
  if (views.length > 0 && filters.some(([name]) => !known.has(name) && name !== "loadbalancer_id"))
    throw octavia.filter();
  const chosen = views.filter(
    (view) => filters.every(([name, wanted]) => matches(view, name, textOf(wanted))) && hasTags(view, query),
  );
  const sorted = sort(chosen, sortKeys(query), known);
  const limit = limitOf(textOf(query.limit));
  const marker = textOf(query.marker);
  const start = marker === "" ? 0 : sorted.findIndex(({ id }) => id === marker) + 1;
  if (marker !== "" && start === 0) throw octavia.marker(marker);
  const end = limit === undefined ? sorted.length : start + limit;
  const items = sorted.slice(start, end);
  const links = end < sorted.length ? [{ rel: "next", href: `${url}?limit=${limit}&marker=${items.at(-1)?.id}` }] : [];
  return { [key]: items.map((item) => picked(item, query.fields)), [`${key}_links`]: links };
}

const textOf = (value: string | string[] | undefined) => (Array.isArray(value) ? (value[0] ?? "") : (value ?? ""));

function matches(view: View, name: string, wanted: string): boolean {
  if (name === "loadbalancer_id") {
    const owners = view.loadbalancers as { id: string }[] | undefined;
    return owners?.some(({ id }) => id === wanted) === true;
  }
  const value = view[name];
  if (typeof value === "boolean") return value === /^(1|t|true|on|y|yes)$/i.test(wanted);
  return String(value ?? "") === wanted;
}

function hasTags(view: View, query: Query): boolean {
  const tags = (view.tags ?? []) as string[];
  const has = (tag: string) => tags.includes(tag);
  const asked = (name: string) => (query[name] === undefined ? undefined : textOf(query[name]).split(","));
  const [all, any, notAll, notAny] = tagFilters.map(asked);
  return (
    (all?.every(has) ?? true) &&
    (any?.some(has) ?? true) &&
    !(notAll?.every(has) ?? false) &&
    !(notAny?.some(has) ?? false)
  );
}

function sortKeys(query: Query): { key: string; descending: boolean }[] {
  const pairs =
    query.sort === undefined
      ? textOf(query.sort_key)
          .split(",")
          .map((key, index) => [key, textOf(query.sort_dir).split(",")[index] || "asc"])
      : textOf(query.sort)
          .split(",")
          .map((part) => [...part.split(":"), "asc"]);
  return pairs
    .filter(([key]) => key)
    .map(([key = "", direction = "asc"]) => {
      if (!/^(asc|desc)$/i.test(direction)) throw octavia.sortDirection(direction);
      return { key, descending: direction.toLowerCase() === "desc" };
    });
}

function sort(
  views: readonly View[],
  keys: { key: string; descending: boolean }[],
  known: ReadonlySet<string>,
): View[] {
  for (const { key } of keys) if (views.length > 0 && !known.has(key)) throw octavia.sortKey(key);
  return views.toSorted((a, b) => {
    for (const { key, descending } of keys) {
      const [x, y] = [a[key], b[key]];
      const order =
        typeof x === "number" && typeof y === "number" ? x - y : String(x ?? "").localeCompare(String(y ?? ""));
      if (order !== 0) return descending ? -order : order;
    }
    return 0;
  });
}

function limitOf(text: string): number | undefined {
  if (text === "" || text === "infinite") return undefined;
  const limit = Number(text);
  if (!Number.isInteger(limit)) throw octavia.limit(text);
  return limit < 1 ? undefined : limit;
}

function picked(view: View, fields: string | string[] | undefined): Record<string, unknown> {
  const names = [fields ?? []].flat();
  if (names.length === 0) return view;
  return Object.fromEntries(Object.entries(view).filter(([name]) => names.includes(name)));
}
