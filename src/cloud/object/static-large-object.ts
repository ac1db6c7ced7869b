import { ApiError } from "../http/api-error.ts";
import { pythonQuoted } from "../http/percent.ts";
import { mayRead } from "./acl.ts";
import { listingTime } from "./listing.ts";
import { md5 } from "./md5.ts";
import { existingObject, type Place, permittedContainer } from "./object-access.ts";
import type { Reading } from "./pieces.ts";
import { parseRange } from "./range.ts";
import type { Segment, StoredObject } from "./records.ts";
import { bareRefusal, plainRefusal, refusal, statusLine } from "./refusals.ts";
import { wholeOf } from "./whole.ts";

// Static large objects: a manifest that names the objects whose contents are its own, checked when it is made.

/** Swift's defaults. */
export const manifestLimits = { bytes: 8 * 1024 * 1024, segments: 1000 };

interface Asked {
  path?: string;
  data?: string;
  etag?: string | null;
  size_bytes?: number | string | null;
  range?: string;
}

/** A manifest that was checked. */
export interface Manifest {
  segments: Segment[];
  /** Bytes of all segments. */
  size: number;
  /** The MD5 of the segments' ETags, hex. */
  etag: string;
}

const keys: Record<string, string[]> = { path: ["path", "range", "etag", "size_bytes"], data: ["data"] };

/**
 * Reads what a client sends as a manifest, and looks at what it names, as far as the client may read it.
 * @param place of the manifest itself
 * @throws ApiError 400, 413 in Swift's words
 */
export function checkManifest(reading: Reading, { container, name }: Omit<Place, "projectId">, text: string): Manifest {
  const asked = parseManifest(text, `${container}/${name}`);
  if (asked.filter((segment) => segment.path !== undefined).length > manifestLimits.segments) {
    throw bareRefusal(413, `Number of object-backed segments must be <= ${manifestLimits.segments}`);
  }
  const problems: string[] = [];
  const looked = new Map<string, Looked>();
  const checked = asked.map((segment, index) => {
    if (segment.data !== undefined) {
      const data = Buffer.from(segment.data, "base64");
      return { size: data.length, hash: md5(data), segment: { data: data.toString("base64") } as Segment };
    }
    const path = (segment.path ?? "").replace(/^\/+/, "");
    const found = looked.get(path) ?? lookAt(reading, path);
    looked.set(path, found);
    return checkSegment(found, segment, index === asked.length - 1, problems);
  });
  if (problems.length > 0) throw plainRefusal(400, `Errors:\n${problems.map((line) => `${line}\n`).join("")}`);
  const size = checked.reduce((sum, part) => sum + part.size, 0);
  // of manifests of manifests: more than a Content-Length says here
  if (!Number.isSafeInteger(size)) throw refusal(413);
  return {
    segments: checked.map(({ segment }) => segment),
    size,
    etag: md5(checked.map(({ hash }) => hash).join("")),
  };
}

/** A manifest as Python writes it: its length counts. */
export function manifestText(segments: readonly object[]): string {
  const text = (segment: object) =>
    Object.entries(segment)
      .map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`)
      .join(", ");
  return `[${segments.map((segment) => `{${text(segment)}}`).join(", ")}]`;
}

/** A manifest in the form that it was put in. */
export function rawManifest(segments: readonly Segment[]): Asked[] {
  return segments.map((segment) => {
    if ("data" in segment) return segment;
    const { name: path, bytes, hash: etag, range } = segment;
    return { etag, path, ...(range === undefined ? {} : { range }), size_bytes: bytes };
  });
}

/** What a HEAD tells of a segment, or the status that it ends with. */
type Looked = { object: StoredObject; size: number; etag: string } | number;

function lookAt(reading: Reading, path: string): Looked {
  const [, container = "", name = ""] = /^([^/]*)\/(.*)$/s.exec(path) ?? [];
  if (!path.isWellFormed() || path.includes("\0")) return 412;
  try {
    const { projectId, caller } = reading;
    const object = existingObject(
      reading,
      permittedContainer(reading, caller, { projectId, container }, mayRead),
      name,
    );
    const { size = 0, etag } = wholeOf(reading, object);
    return { object, size, etag };
  } catch (error) {
    if (error instanceof ApiError) return error.status;
    throw error;
  }
}

/**
 * @param own path of the manifest, `container/object`
 * @throws ApiError 400 with every mistake in the manifest's form
 */
function parseManifest(text: string, own: string): Asked[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw bareRefusal(400, "Manifest must be valid JSON.\n");
  }
  if (!Array.isArray(parsed)) throw bareRefusal(400, "Manifest must be a list.\n");
  const segments: unknown[] = parsed;
  const errors = segments.flatMap((segment, index) => {
    const wrong = mistake(segment, index === segments.length - 1, (name) => name === own);
    return wrong === undefined ? [] : [`Index ${index}: ${wrong}`];
  });
  const hasOnlyData = segments.every((segment) => typeof (segment as Asked | null)?.data === "string");
  if (segments.length > 0 && hasOnlyData) {
    errors.push("Inline data segments require at least one object-backed segment.");
  }
  if (errors.length > 0) throw plainRefusal(400, errors.map((line) => `${line}\n`).join(""));
  return segments as Asked[];
}

function mistake(segment: unknown, isLast: boolean, isItself: (name: string) => boolean): string | undefined {
  if (typeof segment !== "object" || segment === null || Array.isArray(segment)) return "not a JSON object";
  const kind = Object.keys(keys).find((key) => Object.hasOwn(segment, key));
  if (kind === undefined) return "expected keys to include one of b'path' or b'data'";
  const extra = Object.keys(segment).filter((key) => !keys[kind]?.includes(key));
  if (extra.length > 0)
    return `extraneous keys ${extra
      .toSorted()
      .map((key) => JSON.stringify(key))
      .join(", ")}`;
  const { path, data, etag, size_bytes: bytes, range } = segment as Record<keyof Asked, unknown>;
  if (kind === "data") {
    if (typeof data !== "string" || !/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2,3}={0,2})?$/.test(data)) {
      return "data must be valid base64";
    }
    return data === "" ? "too small; each segment must be at least 1 byte." : undefined;
  }
  if (typeof path !== "string") return '"path" must be a string';
  if (etag !== undefined && etag !== null && typeof etag !== "string")
    return '"etag" must be a string or null (if provided)';
  if (!/[^/]\/+[^/]/.test(path)) {
    return "path does not refer to an object. Path must be of the form /container/object.";
  }
  if (bytes !== undefined && bytes !== null) {
    if (!/^-?\d+$/.test(String(bytes))) return "invalid size_bytes";
    if (Number(bytes) < 1 && !isLast) return "too small; each segment must be at least 1 byte.";
  }
  if (isItself(path.replace(/^\/+/, ""))) return "manifest must not include itself as a segment";
  if (range === undefined || range === "") return undefined;
  if (/,/.test(String(range))) return "multiple ranges (only one allowed)";
  if (!/^(\d+-\d*|-\d+)$/.test(String(range))) return "invalid range";
  const isLost =
    bytes !== undefined && bytes !== null && parseRange(`bytes=${range}`, Number(bytes)) === "unsatisfiable";
  return isLost ? "unsatisfiable range" : undefined;
}

/** Compares a segment with the object that it names; what is wrong is added to the problems. */
function checkSegment(
  found: Looked,
  { path = "", etag, size_bytes: bytes, range }: Asked,
  isLast: boolean,
  problems: string[],
): { size: number; hash: string; segment: Segment } {
  const quoted = pythonQuoted(path);
  if (typeof found === "number") {
    problems.push(`${quoted}, ${statusLine(found)}`);
    return { size: 0, hash: "", segment: { data: "" } };
  }
  const { object, size: length, etag: hash } = found;
  const part = range ? parseRange(`bytes=${range}`, length) : "all";
  if (part === "unsatisfiable") problems.push(`${quoted}, Unsatisfiable Range`);
  const isWhole = typeof part === "string" || (part.start === 0 && part.end === length - 1);
  const size = isWhole || typeof part === "string" ? length : part.end - part.start + 1;
  if (size < 1 && !isLast) problems.push(`${quoted}, Too small; each segment must be at least 1 byte.`);
  if (bytes !== undefined && bytes !== null && Number(bytes) !== length) problems.push(`${quoted}, Size Mismatch`);
  if (etag !== undefined && etag !== null && etag !== hash) problems.push(`${quoted}, Etag Mismatch`);
  const kept = isWhole || typeof part === "string" ? undefined : `${part.start}-${part.end}`;
  const name = `/${path.replace(/^\/+/, "")}`;
  return {
    size,
    hash: kept === undefined ? hash : `${hash}:${kept};`,
    segment: {
      ...{ name, bytes: length, hash, content_type: object.contentType, last_modified: listingTime(object.timestamp) },
      ...(kept === undefined ? {} : { range: kept }),
      ...(object.slo === undefined ? {} : { sub_slo: true }),
    },
  };
}
