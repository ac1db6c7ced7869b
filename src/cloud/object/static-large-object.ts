import { createHash } from "node:crypto";
import { ApiError } from "../http/api-error.ts";
import { listingTime } from "./listing.ts";
import { etagOf } from "./pieces.ts";
import { parseRange } from "./range.ts";
import { isExpired, type ObjectTables, type Segment, type StoredObject } from "./records.ts";

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
 * Reads what a client sends as a manifest, and looks at what it names.
 * @param path `/v1/AUTH_…/container/object`, of the manifest itself
 * @throws ApiError 400, 413 in Swift's words
 */
export function checkManifest(
  tables: ObjectTables,
  { projectId, path, text }: { projectId: string; path: string; text: string },
): Manifest {
  const asked = parseManifest(text, path);
  if (asked.filter((segment) => segment.path !== undefined).length > manifestLimits.segments) {
    throw new ApiError(413, `Number of object-backed segments must be <= ${manifestLimits.segments}`);
  }
  const problems: string[] = [];
  const checked = asked.map((segment, index) => {
    if (segment.data !== undefined) {
      const data = Buffer.from(segment.data, "base64");
      return { size: data.length, hash: md5(data), segment: { data: data.toString("base64") } as Segment };
    }
    return checkSegment(tables, projectId, segment, index === asked.length - 1, problems);
  });
  if (problems.length > 0) {
    throw new ApiError(400, `Errors:\n${problems.map((line) => `${line}\n`).join("")}`, "text");
  }
  return {
    segments: checked.map(({ segment }) => segment),
    size: checked.reduce((sum, { size }) => sum + size, 0),
    etag: md5(checked.map(({ hash }) => hash).join("")),
  };
}

const md5 = (content: string | Buffer): string => createHash("md5").update(content).digest("hex");

/** @throws ApiError 400 with every mistake in the manifest's form */
function parseManifest(text: string, path: string): Asked[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new ApiError(400, "Manifest must be valid JSON.\n", "text");
  }
  if (!Array.isArray(parsed)) throw new ApiError(400, "Manifest must be a list.\n", "text");
  const segments: unknown[] = parsed;
  const account = path.split("/").slice(0, 3).join("/");
  const errors = segments.flatMap((segment, index) => {
    const wrong = mistake(segment, index === segments.length - 1, (name) => `${account}/${name}` === path);
    return wrong === undefined ? [] : [`Index ${index}: ${wrong}`];
  });
  const hasOnlyData = segments.every((segment) => typeof (segment as Asked | null)?.data === "string");
  if (segments.length > 0 && hasOnlyData) {
    errors.push("Inline data segments require at least one object-backed segment.");
  }
  if (errors.length > 0) throw new ApiError(400, errors.map((line) => `${line}\n`).join(""), "text");
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
  tables: ObjectTables,
  projectId: string,
  { path = "", etag, size_bytes: bytes, range }: Asked,
  isLast: boolean,
  problems: string[],
): { size: number; hash: string; segment: Segment } {
  const name = `/${path.replace(/^\/+/, "")}`;
  const quoted = encodeURI(path);
  const found = tables.objects.get(`${projectId}${name}`);
  if (found === undefined || isExpired(found)) {
    problems.push(`${quoted}, 404 Not Found`);
    return { size: 0, hash: "", segment: { data: "" } };
  }
  const length = lengthOf(found);
  const part = range ? parseRange(`bytes=${range}`, length) : "all";
  if (part === "unsatisfiable") problems.push(`${quoted}, Unsatisfiable Range`);
  const isWhole = typeof part === "string" || (part.start === 0 && part.end === length - 1);
  const size = isWhole || typeof part === "string" ? length : part.end - part.start + 1;
  if (size < 1 && !isLast) problems.push(`${quoted}, Too small; each segment must be at least 1 byte.`);
  if (bytes !== undefined && bytes !== null && Number(bytes) !== length) problems.push(`${quoted}, Size Mismatch`);
  const hash = etagOf(found);
  if (etag !== undefined && etag !== null && etag !== hash) problems.push(`${quoted}, Etag Mismatch`);
  const kept = isWhole || typeof part === "string" ? undefined : `${part.start}-${part.end}`;
  return {
    size,
    hash: kept === undefined ? hash : `${hash}:${kept};`,
    segment: {
      ...{ name, bytes: length, hash, content_type: found.contentType, last_modified: listingTime(found.timestamp) },
      ...(kept === undefined ? {} : { range: kept }),
      ...(found.slo === undefined ? {} : { sub_slo: true }),
    },
  };
}

/** The bytes that a reader of the object gets. */
function lengthOf({ slo, size }: StoredObject): number {
  return slo?.size ?? size;
}
