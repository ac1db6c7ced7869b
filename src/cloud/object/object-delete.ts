import type { FastifyInstance } from "fastify";
import { ApiError } from "../http/api-error.ts";
import { mayRead } from "./acl.ts";
import { type BulkTarget, deleteAll, sendBulk } from "./bulk-delete.ts";
import type { Caller } from "./caller.ts";
import type { ObjectContext } from "./context.ts";
import { existingObject, type OneObject, type Place, permittedContainer, placeOf } from "./object-access.ts";
import { bareRefusal, notFound } from "./refusals.ts";
import { deleteObject } from "./removal.ts";
import { manifestLimits } from "./static-large-object.ts";

/** `DELETE` of an object, of a version, or of a static large object with its segments. */
export function deleteRoutes(app: FastifyInstance, context: ObjectContext, path: string): void {
  app.delete<OneObject>(path, async (request, reply) => {
    const who = context.caller(request);
    const place = placeOf(request);
    const version = request.query["version-id"];
    if (request.query["multipart-manifest"] !== "delete") {
      const { existed, headers } = await deleteObject(context, who, place, version);
      reply.headers(headers);
      if (!existed) throw notFound();
      return reply.code(204).send();
    }
    return sendBulk(reply, (result) => {
      const deletion = { account: request.params.account, callerFor: () => who };
      return deleteAll(context, deletion, targetsOf(context, who, place, version), result);
    });
  });
}

/** A manifest, or a segment, that waits to be deleted. */
interface Waiting extends BulkTarget {
  isManifest: boolean;
}

/**
 * A static large object's segments, those of manifests below it, and the manifests after theirs. Looked up while what came before is
 * deleted, so that manifests that name each other come to an end.
 * @throws ApiError 400 for more that waits than Swift holds
 */
function* targetsOf(
  context: ObjectContext,
  who: Caller,
  { projectId, container, name }: Place,
  version: string | undefined,
): Generator<BulkTarget> {
  let waiting: Waiting[] = [
    { name: `/${container}/${name}`, isManifest: true, ...(version === undefined ? {} : { version }) },
  ];
  while (waiting.length > 0) {
    if (waiting.length > manifestLimits.segments * 10) {
      throw bareRefusal(400, "Too many buffered slo segments to delete.");
    }
    const [next, ...others] = waiting;
    waiting = others;
    if (next === undefined) return;
    if (next.isManifest) {
      const found = segmentsOf(context, who, projectId, next);
      waiting.push(...("error" in found ? [] : found.segments));
      waiting.push({ ...next, isManifest: false, ...("error" in found ? { error: found.error } : {}) });
    } else {
      yield next;
    }
  }
}

type Found = { segments: Waiting[] } | { error: { status: number; message: string } };

/** What a manifest names, if the caller may read it. */
function segmentsOf(context: ObjectContext, who: Caller, projectId: string, { name, version }: Waiting): Found {
  const [, container = "", object = ""] = /^\/([^/]*)\/(.*)$/s.exec(name) ?? [];
  try {
    const found = permittedContainer(context, who, { projectId, container }, mayRead);
    const { segments } = existingObject(context, found, object, version);
    if (segments === undefined) return { error: { status: 400, message: "Not an SLO manifest" } };
    return {
      segments: segments.flatMap((segment) =>
        "data" in segment ? [] : [{ name: segment.name, isManifest: segment.sub_slo === true }],
      ),
    };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const { status } = error;
    if (status === 404) return { error: { status, message: "SLO manifest not found" } };
    if (status === 401) return { error: { status, message: "401 Unauthorized" } };
    return { error: { status: 500, message: "Unable to load SLO manifest or segment." } };
  }
}
