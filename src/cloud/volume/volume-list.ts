import { isAdmin } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import type { Collection } from "../store/store.ts";
import { cinder } from "./errors.ts";
import type { Volume } from "./records.ts";
import { type ViewContext, volumeView } from "./view.ts";

export type VolumeQuery = Record<string, string | undefined>;

/** What others than administrators may filter by. */
const filterable = new Set([
  "name",
  "status",
  "metadata",
  "bootable",
  "migration_status",
  "availability_zone",
  "group_id",
  "size",
  "created_at",
  "updated_at",
  "consumes_quota",
]);

/** A page of volumes. */
export interface Page {
  volumes: Volume[];
  /** Whether there are more after it. */
  more: boolean;
}

/** Cinder's list: the newest first unless the query sorts; its filters compare for equality. @throws ApiError 400, 404 */
export function selectVolumes(table: Collection<Volume>, query: VolumeQuery, context: ViewContext): Page {
  const { scope, microversion } = context;
  const { limit, marker, offset, sort, sort_key, sort_dir, all_tenants, with_count: _count, ...filters } = query;
  if (!isAdmin(scope) && microversion >= 31) {
    const invalid = Object.keys(filters).filter((name) => !filterable.has(name));
    if (invalid.length > 0) {
      throw cinder.badRequest(`Invalid filters ${invalid.sort().join(",")} are found in query options.`);
    }
  }
  const everyone = isAdmin(scope) && all_tenants !== undefined && !/^(0|false)$/i.test(all_tenants);
  const matching = table
    .list((volume) => everyone || volume.projectId === projectOf(scope).id)
    .filter((volume) => matches(volume, filters, context))
    .toReversed();
  const [key = "created_at", direction = "desc"] = (sort ?? `${sort_key ?? "created_at"}:${sort_dir ?? "desc"}`).split(
    ":",
  );
  const sorted = key === "created_at" && direction === "desc" ? matching : sortedBy(matching, key, direction, context);
  const from = marker === undefined ? count("offset", offset, 0) : placeOf(sorted, marker) + 1;
  const end = from + count("limit", limit, sorted.length);
  return { volumes: sorted.slice(from, end), more: end < sorted.length };
}

function matches(volume: Volume, filters: VolumeQuery, context: ViewContext): boolean {
  const view = volumeView(volume, context);
  return Object.entries(filters).every(([name, wanted]) => {
    if (name === "metadata") return hasMetadata(volume, wanted);
    if (name === "project_id") return volume.projectId === wanted;
    return Object.hasOwn(view, name) && String(view[name]).toLowerCase() === wanted?.toLowerCase();
  });
}

/** Clients write the wanted pairs as Python does: `{'role': 'data'}`. */
function hasMetadata({ metadata }: Volume, wanted = ""): boolean {
  const pairs = [...wanted.matchAll(/u?(['"])(.*?)\1\s*:\s*u?(['"])(.*?)\3/g)];
  return pairs.length > 0 && pairs.every(([, , key = "", , value]) => metadata[key] === value);
}

function sortedBy(volumes: Volume[], key: string, direction: string, context: ViewContext): Volume[] {
  const sortValue = (volume: Volume) => volumeView(volume, context)[key];
  if (volumes.some((volume) => sortValue(volume) === undefined)) throw cinder.invalidInput("Sort key is invalid");
  const order = (one: Volume, other: Volume) =>
    String(sortValue(one)).localeCompare(String(sortValue(other)), "en", { numeric: true });
  return volumes.toSorted((one, other) => (direction === "asc" ? order(one, other) : order(other, one)));
}

function placeOf(volumes: Volume[], marker: string): number {
  const place = volumes.findIndex((volume) => volume.id === marker);
  if (place < 0) throw cinder.volumeNotFound(marker);
  return place;
}

function count(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^-?\d+$/.test(text)) throw cinder.badRequest(`${name} param must be an integer`);
  if (Number(text) < 0) throw cinder.badRequest(`${name} param must be positive`);
  return Number(text);
}
