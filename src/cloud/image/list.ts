import { asTime, comparisons } from "../http/compared-times.ts";
import { isAdmin, owns, type Scope } from "../identity/scope.ts";
import type { Collection } from "../store/store.ts";
import { glance } from "./faults.ts";
import { memberOf } from "./images.ts";
import type { Image } from "./records.ts";
import { imageView } from "./view.ts";

export type ImageQuery = Record<string, string | string[] | undefined>;

/** Glance's `api_limit_max` and `limit_param_default`. */
const limits = { maximum: 1000, usual: 25 };

const sortKeys = ["name", "status", "container_format", "disk_format", "size", "id", "created_at", "updated_at"];

type View = Record<string, unknown>;
type Condition = (view: View) => boolean;

/** `GET /v2/images` @throws ApiError 400 in Glance's words */
export function listImages(
  table: Collection<Image>,
  scope: Scope,
  query: ImageQuery,
): { images: View[]; next: string | undefined } {
  const { sort_key, sort_dir, sort, limit, marker, tag, member_status, visibility, os_hidden, ...filters } = query;
  const memberStatus = oneOf(one(member_status) ?? "accepted", ["pending", "accepted", "rejected", "all"], "status");
  const wantedVisibility = one(visibility);
  if (wantedVisibility !== undefined) {
    oneOf(wantedVisibility, ["community", "public", "private", "shared", "all"], "visibility value");
  }
  const hidden = flag("os_hidden", one(os_hidden)?.toLowerCase() ?? "false");
  const tags = [tag ?? []].flat().map((text) => text.trim());
  const size = limitOf(one(limit));
  const conditions = Object.entries(filters).map(([name, value]) => conditionOf(name, one(value) ?? ""));
  const views = sorted(
    table
      .list((image) => image.hidden === hidden && tags.every((item) => image.tags.includes(item)))
      .filter((image) => isListed(image, scope, wantedVisibility, memberStatus))
      .toReversed()
      .map(imageView),
    sortOrder({ sort, sort_key, sort_dir }),
  ).filter((view) => conditions.every((holds) => holds(view)));
  const from = marker === undefined ? 0 : placeOf(views, one(marker) ?? "") + 1;
  const images = views.slice(from, from + size);
  const last = images.at(-1);
  return { images, next: last !== undefined && images.length === size ? String(last.id) : undefined };
}

const one = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value);

function oneOf(value: string, allowed: string[], what: string): string {
  if (!allowed.includes(value)) throw glance.badRequest(`Invalid ${what}: ${value}`);
  return value;
}

function flag(name: string, value: string): boolean {
  if (value === "true" || value === "false") return value === "true";
  throw glance.badRequest(`Invalid value '${value}' for '${name}' filter. Valid values are 'true' or 'false'.`);
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return limits.usual;
  if (!/^[+-]?\d+$/.test(text.trim())) throw glance.badRequest("limit param must be an integer");
  if (Number(text) < 0) throw glance.badRequest("limit param must be positive");
  return Math.min(Number(text), limits.maximum);
}

/** Others' community images are listed where they are asked for only; shared ones once they are accepted, unless others are asked for. */
function isListed(image: Image, scope: Scope, visibility: string | undefined, memberStatus: string): boolean {
  const isOwn = image.ownerId === scope.project?.id;
  if (visibility === undefined ? image.visibility === "community" && !isOwn : false) return false;
  if (visibility !== undefined && visibility !== "all" && image.visibility !== visibility) return false;
  if (isOwn || isAdmin(scope) || owns(scope, image.ownerId)) return true;
  if (image.visibility === "public" || image.visibility === "community") return true;
  const status = image.visibility === "shared" ? memberOf(image, scope)?.status : undefined;
  return status !== undefined && (memberStatus === "all" || status === memberStatus);
}

/** What a filter asks of an image. @throws ApiError 400 */
function conditionOf(name: string, value: string): Condition {
  if (name === "changes-since") {
    throw glance.badRequest('The "changes-since" filter is no longer available on v2.');
  }
  if (name === "protected") {
    const wanted = flag(name, value);
    return (view) => view.protected === wanted;
  }
  const range = /^(.*)_(min|max)$/.exec(name);
  if (range !== null) return rangeCondition(range[1] ?? "", range[2] === "min", value);
  if (name === "created_at" || name === "updated_at") return timeCondition(name, value);
  if (["name", "id", "status", "container_format", "disk_format"].includes(name)) return wordCondition(name, value);
  return (view) => view[name] !== null && view[name] !== undefined && String(view[name]) === value;
}

function rangeCondition(name: string, isLeast: boolean, value: string): Condition {
  if (!/^[+-]?\d+$/.test(value)) throw glance.badRequest("Unable to filter on a range with a non-numeric value.");
  return (view) =>
    typeof view[name] === "number" && (isLeast ? view[name] >= Number(value) : view[name] <= Number(value));
}

function timeCondition(name: string, value: string): Condition {
  const [, operator = "eq", text = ""] = /^(?:([a-z]+):)?(.*)$/.exec(value) ?? [];
  const time = asTime(text);
  if (Number.isNaN(time)) {
    throw glance.badRequest(`Bad "${name}" query filter format. Use ISO 8601 DateTime notation.`);
  }
  const holds = comparisons[operator];
  if (holds === undefined) throw glance.badRequest("Unable to filter on a unknown operator.");
  return (view) => holds(Date.parse(String(view[name])) - time);
}

function wordCondition(name: string, value: string): Condition {
  const [, operator = "eq", text = ""] = /^(?:([^:]*):)?(.*)$/s.exec(value) ?? [];
  if (operator === "in") {
    const wanted = listed(text);
    return (view) => view[name] !== null && wanted.includes(String(view[name]));
  }
  if (operator !== "eq") throw glance.badRequest(`Unable to filter by unknown operator '${operator}'.`);
  return (view) => view[name] !== null && String(view[name]) === text;
}

/** Values with commas between them; one that has a comma itself is in quotes. */
function listed(text: string): string[] {
  return [...text.matchAll(/"((?:\\.|[^"\\])*)"|([^,"]+)/g)].map(([, quoted, bare]) =>
    quoted === undefined ? (bare ?? "") : quoted.replace(/\\(.)/g, "$1"),
  );
}

/** @throws ApiError 400 */
function sortOrder({ sort, sort_key, sort_dir }: ImageQuery): [string, string][] {
  if (sort !== undefined && (sort_key !== undefined || sort_dir !== undefined)) {
    throw glance.badRequest("Old and new sorting syntax cannot be combined");
  }
  const direction = (text: string) => oneOf(text.trim(), ["asc", "desc"], "sort direction");
  const key = (text: string) => {
    if (sortKeys.includes(text.trim())) return text.trim();
    throw glance.badRequest(
      `Invalid sort key: ${text.trim()}. It must be one of the following: ${sortKeys.join(", ")}.`,
    );
  };
  if (sort !== undefined) {
    return (one(sort) ?? "").split(",").map((part) => {
      const [name = "", way = ""] = part.split(":");
      return [key(name), direction(way.trim() === "" ? "desc" : way)];
    });
  }
  const keys = [sort_key ?? []].flat().map(key);
  const ways = [sort_dir ?? []].flat().map(direction);
  if (ways.length > 1 && ways.length !== keys.length) {
    throw glance.badRequest("Number of sort dirs does not match the number of sort keys");
  }
  return (keys.length === 0 ? ["created_at"] : keys).map((name, index) => [name, ways[index] ?? ways[0] ?? "desc"]);
}

/** @param newestFirst what is equal stays in this order, or in the opposite one where the first key ascends */
function sorted(newestFirst: View[], order: [string, string][]): View[] {
  const base = order[0]?.[1] === "asc" ? newestFirst.toReversed() : newestFirst;
  return base.toSorted((a, b) => {
    for (const [key, direction] of order) {
      const [x, y] = [a[key] ?? "", b[key] ?? ""];
      const difference =
        typeof x === "number" && typeof y === "number"
          ? x - y
          : String(x) < String(y)
            ? -1
            : String(x) > String(y)
              ? 1
              : 0;
      if (difference !== 0) return direction === "asc" ? difference : -difference;
    }
    return 0;
  });
}

function placeOf(views: View[], marker: string): number {
  const place = views.findIndex(({ id }) => id === marker);
  if (place < 0) throw glance.badRequest(`No image found with ID ${marker}`);
  return place;
}
