import { headerText } from "../http/percent.ts";
import { mayList } from "./acl.ts";
import { listingLimit } from "./limits.ts";
import { md5 } from "./md5.ts";
import { permittedContainer } from "./object-access.ts";
import { type Piece, type Reading, SegmentError, type Whole } from "./pieces.ts";
import { isExpired, listedSize, type StoredObject } from "./records.ts";
import { bareRefusal } from "./refusals.ts";

// Dynamic large objects: the contents of all objects whose container and name begin so, at this moment and for whom asks.

/**
 * What a dynamic large object is, by the first page of its parts; where there are more, their number is not known before they were read.
 * @param manifest `X-Object-Manifest`
 * @param own the manifest's own ETag
 * @throws ApiError 401, 403, 404 where the parts' container is not to be listed
 */
export function dynamicWhole(reading: Reading, manifest: string, own: string): Whole {
  const [, name = "", prefix = ""] = /^([^/]*)\/(.*)$/s.exec(headerText(manifest) ?? "") ?? [];
  const { tables, caller, projectId } = reading;
  const { id } = permittedContainer(reading, caller, { projectId, container: name }, mayList);
  const page = (marker: string): StoredObject[] => {
    const isPart = (one: StoredObject) =>
      one.containerId === id && one.name.startsWith(prefix) && one.name > marker && !isExpired(one);
    const parts = tables.objects.list(isPart).toSorted((a, b) => (a.name < b.name ? -1 : 1));
    return parts.slice(0, listingLimit);
  };
  const first = page("");
  const isCounted = first.length < listingLimit;
  return {
    size: isCounted ? first.reduce((sum, part) => sum + listedSize(part), 0) : undefined,
    etag: isCounted ? md5(first.map(({ etag }) => etag).join("")) : own,
    pieces: (start, end) => dynamicPieces(first, page, start, end),
  };
}

function* dynamicPieces(
  firstPage: StoredObject[],
  page: (marker: string) => StoredObject[],
  start: number,
  end: number,
): Generator<Piece> {
  let [parts, first, last] = [firstPage, start, end];
  for (;;) {
    for (const part of parts) {
      if (last < 0) return;
      const length = listedSize(part);
      if (first < length) {
        // as in Swift, a part is read as it is: a manifest would be its own text
        if (part.slo !== undefined) throw new SegmentError(`${part.name} is a manifest`);
        const from = Math.max(first, 0);
        yield { from: { file: part.file }, start: from, size: Math.min(last, length - 1) - from + 1 };
      }
      first -= length;
      last -= length;
    }
    const marker = parts.at(-1)?.name;
    if (marker === undefined || parts.length < listingLimit) return;
    parts = page(marker);
  }
}

/** @throws ApiError 400 for an `X-Object-Manifest` that names no container and beginning */
export function demandManifestForm(value: string | undefined): void {
  if (value === undefined) return;
  const [, container = "", prefix = ""] = /^([^/]*)\/(.*)$/s.exec(value) ?? [];
  if (container !== "" && prefix !== "" && !/[?&]/.test(value) && !prefix.startsWith("/")) return;
  throw bareRefusal(400, "X-Object-Manifest must be in the format container/prefix");
}
