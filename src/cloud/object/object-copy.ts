import type { Readable } from "node:stream";
import { headerText } from "../http/percent.ts";
import { header } from "../identity/tokens.ts";
import { mayRead } from "./acl.ts";
import type { Caller } from "./caller.ts";
import { demandsNew, holdsIfRange, unmet } from "./conditions.ts";
import { type ObjectContext, projectOfAccount } from "./context.ts";
import { largestObject } from "./limits.ts";
import { md5 } from "./md5.ts";
import { existingObject, type ObjectRequest, type Place, permittedContainer, placeOf } from "./object-access.ts";
import { explain } from "./object-read.ts";
import { readPieces } from "./pieces.ts";
import { parseRange } from "./range.ts";
import type { StoredObject } from "./records.ts";
import { bareRefusal, plainRefusal, refusal } from "./refusals.ts";
import { manifestText, rawManifest } from "./static-large-object.ts";
import { allPieces, wholeOf } from "./whole.ts";

// Copies of objects, also between accounts: the source is read, and the target written, as far as who asks may do either.

/** What a copy begins with. */
export interface Origin {
  object: StoredObject;
  /** The content as its reader gets it, the text of a static large object's manifest, or why the reader gets none. */
  content: { stream: Readable; size: number } | { manifest: string } | { unmet: 304 | 412 };
}

/** Where a PUT copies from; undefined for one that brings its own content. @throws ApiError 400, 412 */
export function copySource(request: ObjectRequest): Place | undefined {
  const source = header(request, "x-copy-from");
  if (source === undefined || source === "") return undefined;
  demandNoBody(request);
  return { projectId: accountIn(request, "x-copy-from-account"), ...pathIn("X-Copy-From", source) };
}

/** Where a COPY leads. @throws ApiError 400, 412 */
export function copyTarget(request: ObjectRequest): Place {
  const target = header(request, "destination");
  if (!target) throw bareRefusal(412, "Destination header required");
  demandNoBody(request);
  return { projectId: accountIn(request, "destination-account"), ...pathIn("Destination", target) };
}

function demandNoBody(request: ObjectRequest): void {
  if (Number(header(request, "content-length") ?? 0) === 0) return;
  throw plainRefusal(400, "Copy requests require a zero byte body");
}

/** The project whose account a header names, else that of the path. @throws ApiError 404, 412 */
function accountIn(request: ObjectRequest, name: string): string {
  const value = header(request, name);
  if (value === undefined) return placeOf(request).projectId;
  const account = textIn(value);
  if (account === "") throw bareRefusal(412, "Account name cannot be empty");
  if (account.includes("/")) throw bareRefusal(412, "Account name cannot contain slashes");
  return projectOfAccount(account);
}

function pathIn(name: string, value: string): Omit<Place, "projectId"> {
  const [, container = "", object = ""] = /^\/?([^/]+)\/(.+)$/s.exec(textIn(value)) ?? [];
  if (container !== "") return { container, name: object };
  throw bareRefusal(412, `${name} header must be of the form <container name>/<object name>`);
}

function textIn(value: string): string {
  const text = headerText(value);
  if (text === undefined) throw bareRefusal(412, "Invalid UTF8 or contains NULL");
  return text;
}

/** Opens what is to be copied: a range, a version or a manifest itself where the request says so. @throws ApiError 400 – 416 */
export async function openSource(
  context: ObjectContext,
  request: ObjectRequest,
  who: Caller,
  source: Place,
): Promise<Origin> {
  const container = permittedContainer(context, who, source, mayRead);
  const object = existingObject(context, container, source.name, request.query["version-id"]);
  const copiesManifest = request.query["multipart-manifest"] === "get";
  const failed = (etag: string) => {
    const status = unmet(request, object, etag);
    // what holds for the source would have to hold for the target
    if (status === undefined) demandsNew(request);
    return status;
  };
  if (copiesManifest && object.segments !== undefined) {
    const manifest = manifestText(rawManifest(object.segments));
    const status = failed(md5(manifest));
    return { object, content: status === undefined ? { manifest } : { unmet: status } };
  }
  const read = copiesManifest ? { ...object, manifest: null } : object;
  const whole = wholeOf({ tables: context.tables, projectId: source.projectId, caller: who }, read);
  if (whole.size === undefined || whole.size > largestObject) throw refusal(413);
  const status = failed(whole.etag);
  if (status !== undefined) return { object, content: { unmet: status } };
  const isRanged = holdsIfRange(request, object, whole.etag);
  const range = isRanged ? parseRange(header(request, "range"), whole.size) : "all";
  if (range === "unsatisfiable") throw refusal(416);
  const size = range === "all" ? whole.size : range.end - range.start + 1;
  const pieces = range === "all" ? allPieces(whole) : whole.pieces(range.start, range.end);
  const stream = await readPieces(pieces, context.folder, size).catch(explain(read));
  return { object, content: { stream, size } };
}

/** What the answer to a copy tells of where it is from. */
export function copiedFrom({ id, timestamp, versionId }: StoredObject): Record<string, string> {
  const [projectId = "", ...path] = id.split("/");
  return {
    "x-copied-from": path.map(encodeURIComponent).join("/"),
    "x-copied-from-account": `AUTH_${projectId}`,
    "x-copied-from-last-modified": new Date(Math.ceil(timestamp) * 1000).toUTCString(),
    ...(versionId === undefined ? {} : { "x-copied-from-version-id": versionId }),
  };
}
