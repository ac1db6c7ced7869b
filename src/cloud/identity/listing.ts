import { ApiError } from "../http/api-error.ts";

export type Query = Record<string, string | string[] | undefined>;

/** A list's answer, in Keystone's envelope. */
export function collectionBody(key: string, items: readonly unknown[], self: string): Record<string, unknown> {
  return { [key]: items, links: { next: null, self, previous: null } };
}

/**
 * What a list's filters leave: `name=x` is equality, `name__contains=x` (also `startswith`, `endswith`, each with an `i` in front for
 * any case) a part of it. Others than the named fields do not count.
 */
export function filtered<T extends object>(items: readonly T[], query: Query, fields: readonly string[]): T[] {
  const tests = Object.entries(query).flatMap(([key, raw]) => {
    const wanted = Array.isArray(raw) ? (raw[0] ?? "") : (raw ?? "");
    const [field = "", comparator] = key.split(/__(.*)/s);
    return fields.includes(field) ? [{ field, comparator, wanted }] : [];
  });
  return items.filter((item) =>
    tests.every(({ field, comparator, wanted }) => {
      const value = (item as Record<string, unknown>)[field];
      return comparator === undefined ? equals(value, wanted) : compares(String(value ?? ""), comparator, wanted);
    }),
  );
}

/** Whether a flag of the query is set: `?effective`, `?effective=true`, not `?effective=0` or `=false`. */
export function isSet(value: string | string[] | undefined): boolean {
  return typeof value === "string" && !/^(0|f|false|n|no|off)$/i.test(value);
}

function equals(value: unknown, wanted: string): boolean {
  if (typeof value === "boolean") return value === isSet(wanted);
  return value === undefined || value === null ? wanted === "" : String(value) === wanted;
}

function compares(value: string, comparator: string, wanted: string): boolean {
  const anyCase = comparator.startsWith("i");
  const [text, part] = anyCase ? [value.toLowerCase(), wanted.toLowerCase()] : [value, wanted];
  switch (anyCase ? comparator.slice(1) : comparator) {
    case "contains":
      return text.includes(part);
    case "startswith":
      return text.startsWith(part);
    case "endswith":
      return text.endsWith(part);
    case "exact":
      return text === part;
    default:
      return true;
  }
}

/** @throws ApiError 400 where both of two filters are set that exclude each other */
export function demandNotBoth(query: Query, first: string, second: string, words: string): void {
  if (query[first] && query[second]) throw new ApiError(400, words);
}
