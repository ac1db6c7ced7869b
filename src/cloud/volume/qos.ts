import { randomUUID } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { booleanLike, parseBody } from "../http/body.ts";
import { sendUntyped } from "../http/untyped.ts";
import { demandAdmin, type VolumeContext } from "./context.ts";
import { cinder } from "./errors.ts";
import { pageOf } from "./listing.ts";
import type { QosSpecs } from "./qos-records.ts";
import { visibleType } from "./type-records.ts";
import { linksOf, pageView, viewerAt } from "./view.ts";

const consumer = z.enum(["back-end", "front-end", "both"]);
const values = z.record(z.string().min(1).max(255), z.string().max(255));
const createBody = z.strictObject({
  qos_specs: z.object({ name: z.string().trim().min(1).max(255), consumer: consumer.optional() }).catchall(z.string()),
});
const updateBody = z.strictObject({ qos_specs: z.object({ consumer: consumer.optional() }).catchall(z.string()) });
const keysBody = z.strictObject({ keys: z.array(z.string().min(1).max(255)).min(1) });

interface One {
  Params: { id: string };
  Querystring: { force?: string; vol_type_id?: string };
}

/** `/qos-specs`, for administrators. */
export function qosRoutes(app: FastifyInstance, context: VolumeContext): void {
  const { store, qos, types, base } = context;
  const viewer = viewerAt(base);
  const inner = ({ id, name, consumer: by, specs }: QosSpecs) => ({ id, name, consumer: by, specs });
  const view = (item: QosSpecs, request: FastifyRequest) => ({
    qos_specs: inner(item),
    links: linksOf(`/qos-specs/${item.id}`, viewer(request)),
  });
  const one = (request: FastifyRequest<One>, policy: string): QosSpecs => {
    demandAdmin(request.scope, `volume_extension:qos_specs_manage:${policy}`);
    const found = qos.get(request.params.id);
    if (found === undefined) throw notFound(request.params.id);
    return found;
  };
  const typesWith = (id: string) => types.list(({ qosSpecsId }) => qosSpecsId === id);

  app.get("/qos-specs", (request) => {
    demandAdmin(request.scope, "volume_extension:qos_specs_manage:get_all");
    const page = pageOf(
      {
        records: qos.list(),
        fields: (item) => ({ ...inner(item), created_at: "" }),
        filters: ["id", "name", "consumer"],
        missing: notFound,
      },
      request,
    );
    return pageView(page, { name: "qos_specs", path: "/qos-specs", show: inner }, viewer(request));
  });
  app.post("/qos-specs", (request) => {
    demandAdmin(request.scope, "volume_extension:qos_specs_manage:create");
    const { name, consumer: by = "back-end", ...specs } = parseBody(createBody, request.body).qos_specs;
    const made = store.transaction(() => {
      if (qos.find((item) => item.name === name)) throw cinder.conflict(`QoS Specs ${name} already exists.`);
      return qos.put({ id: randomUUID(), name, consumer: by, specs: parseBody(values, specs) });
    });
    return view(made, request);
  });
  app.get<One>("/qos-specs/:id", (request) => view(one(request, "get"), request));
  app.put<One>("/qos-specs/:id", (request) => {
    const { consumer: by, ...specs } = parseBody(updateBody, request.body).qos_specs;
    store.transaction(() => {
      const before = one(request, "update");
      const all = { ...before.specs, ...parseBody(values, specs) };
      qos.put({ ...before, ...(by === undefined ? {} : { consumer: by }), specs: all });
    });
    return request.body;
  });
  app.put<One>("/qos-specs/:id/delete_keys", (request, reply) => {
    const { keys } = parseBody(keysBody, request.body);
    store.transaction(() => {
      const before = one(request, "delete");
      const missing = keys.find((key) => !Object.hasOwn(before.specs, key));
      if (missing !== undefined) {
        throw new ApiError(404, `QoS spec ${before.id} has no spec with key ${missing}.`);
      }
      const rest = Object.entries(before.specs).filter(([key]) => !keys.includes(key));
      qos.put({ ...before, specs: Object.fromEntries(rest) });
    });
    return sendUntyped(reply, 202);
  });
  app.delete<One>("/qos-specs/:id", (request, reply) => {
    const force = parseBody(booleanLike, request.query.force ?? false);
    store.transaction(() => {
      const { id } = one(request, "delete");
      const using = typesWith(id);
      if (using.length > 0 && !force) throw cinder.badRequest("Qos specs still in use.");
      for (const type of using) types.put({ ...type, qosSpecsId: null });
      qos.delete(id);
    });
    return sendUntyped(reply, 202);
  });

  app.get<One>("/qos-specs/:id/associations", (request) => {
    const { id } = one(request, "get_all");
    return {
      qos_associations: typesWith(id).map((type) => ({
        association_type: "volume_type",
        name: type.name,
        id: type.id,
      })),
    };
  });
  const associate = (
    request: FastifyRequest<One>,
    decide: (specs: QosSpecs, current: string | null) => string | null,
  ) =>
    store.transaction(() => {
      const specs = one(request, "update");
      const { vol_type_id: typeId } = request.query;
      if (!typeId) throw cinder.badRequest("Volume Type id must not be None.");
      const type = visibleType(types, request.scope, typeId);
      types.put({ ...type, qosSpecsId: decide(specs, type.qosSpecsId) });
    });
  app.get<One>("/qos-specs/:id/associate", (request, reply) => {
    associate(request, ({ id }, current) => {
      if (current !== null && current !== id) {
        throw cinder.badRequest(
          `Invalid volume type: Type ${request.query.vol_type_id} is already associated with another qos specs: ${current}`,
        );
      }
      return id;
    });
    return sendUntyped(reply, 202);
  });
  app.get<One>("/qos-specs/:id/disassociate", (request, reply) => {
    associate(request, () => null);
    return sendUntyped(reply, 202);
  });
  app.get<One>("/qos-specs/:id/disassociate_all", (request, reply) => {
    store.transaction(() => {
      const { id } = one(request, "update");
      for (const type of typesWith(id)) types.put({ ...type, qosSpecsId: null });
    });
    return sendUntyped(reply, 202);
  });
}

const notFound = (id: string) => new ApiError(404, `No such QoS spec ${id}.`);
