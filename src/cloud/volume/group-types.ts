import { randomUUID } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { booleanLike, parseBody } from "../http/body.ts";
import { metadataSchema } from "../http/metadata-routes.ts";
import { isoSeconds } from "../http/time.ts";
import { sendUntyped } from "../http/untyped.ts";
import { isAdmin, type Scope } from "../identity/scope.ts";
import { demandAdmin, since, type VolumeContext } from "./context.ts";
import { cinder } from "./errors.ts";
import { type GroupType, isVisibleGroupType } from "./group-records.ts";
import { pageOf } from "./listing.ts";
import { isAskedFor } from "./type-records.ts";
import { pageView, viewerAt } from "./view.ts";

interface One {
  Params: { id: string };
}
interface OneKey {
  Params: { id: string; key: string };
}

/** 3.11 is the microversion that brought them. */
const minor = 11;

const text = z.string().max(255).nullable().optional();
const createBody = z.strictObject({
  group_type: z.strictObject({
    name: z.string().min(1).max(255),
    description: text,
    is_public: booleanLike.optional(),
    group_specs: metadataSchema.nullable().optional(),
  }),
});
const updateBody = z.strictObject({
  group_type: z.strictObject({ name: text, description: text, is_public: booleanLike.nullable().optional() }),
});
const specsBody = z.strictObject({ group_specs: metadataSchema });

/** All else in the query of a list of these is overlooked. */
const paging = ["limit", "marker", "offset", "sort", "sort_key", "sort_dir"];

function viewOf({ id, name, description, isPublic, specs }: GroupType, scope: Scope): Record<string, unknown> {
  return { id, name, description, is_public: isPublic, ...(isAdmin(scope) ? { group_specs: specs } : {}) };
}

/** `/group_types` and their specs. */
export function groupTypeRoutes(app: FastifyInstance, context: VolumeContext): void {
  const { store, groupTypes, groups, base } = context;
  const found = (id: string, scope: Scope): GroupType => {
    const type = groupTypes.get(id);
    if (type === undefined || !isVisibleGroupType(type, scope)) throw cinder.groupTypeNotFound(id);
    return type;
  };
  const demandFree = (name: string, own?: string) => {
    if (groupTypes.find((type) => type.name === name && type.id !== own) !== undefined) {
      throw cinder.conflict(`Group Type ${own ?? name} already exists.`);
    }
  };

  app.get("/group_types", (request) => {
    since(request, minor);
    const { scope, microversion } = request;
    const { is_public: asked, ...query } = request.query as Record<string, string | undefined>;
    const isListed = (type: GroupType) => (isAdmin(scope) ? isAskedFor(type, asked) : type.isPublic);
    const show = (type: GroupType) => viewOf(type, scope);
    const page = pageOf(
      {
        records: groupTypes.list(isListed),
        fields: (type) => ({ ...show(type), created_at: type.createdAt }),
        filters: [],
        missing: cinder.groupTypeNotFound,
      },
      {
        scope,
        microversion,
        query: Object.fromEntries(Object.entries(query).filter(([name]) => paging.includes(name))),
      },
    );
    return pageView(page, { name: "group_types", path: "/group_types", show }, viewerAt(base)(request));
  });
  app.get<One>("/group_types/:id", (request) => {
    since(request, minor);
    const { id } = request.params;
    if (id === "default") throw new ApiError(404, "Default group type can not be found.");
    return { group_type: viewOf(found(id, request.scope), request.scope) };
  });
  app.post("/group_types", (request, reply) => {
    since(request, minor);
    const asked = parseBody(createBody, request.body).group_type;
    demandAdmin(request.scope, "group:group_types:create");
    const made = store.transaction(() => {
      demandFree(asked.name);
      return groupTypes.put({
        ...{ id: randomUUID(), name: asked.name, description: asked.description ?? null },
        ...{ isPublic: asked.is_public ?? true, specs: asked.group_specs ?? {}, createdAt: isoSeconds() },
      });
    });
    return reply.code(202).send({ group_type: viewOf(made, request.scope) });
  });
  app.put<One>("/group_types/:id", (request) => {
    since(request, minor);
    const asked = parseBody(updateBody, request.body).group_type;
    demandAdmin(request.scope, "group:group_types:update");
    const { name, description, is_public: isPublic } = asked;
    if (typeof name === "string" && name !== "" && name.trim() === "") {
      throw cinder.badRequest("Group type name can not be empty.");
    }
    if ((name ?? description ?? isPublic ?? null) === null) {
      throw cinder.badRequest("Specify group type name, description or a combination thereof.");
    }
    const changed = store.transaction(() => {
      const type = found(request.params.id, request.scope);
      if (name) demandFree(name, type.id);
      return groupTypes.put({
        ...type,
        ...(name ? { name } : {}),
        ...(typeof description === "string" ? { description } : {}),
        ...(typeof isPublic === "boolean" ? { isPublic } : {}),
      });
    });
    return { group_type: viewOf(changed, request.scope) };
  });
  app.delete<One>("/group_types/:id", (request, reply) => {
    since(request, minor);
    demandAdmin(request.scope, "group:group_types:delete");
    const { id } = found(request.params.id, request.scope);
    if (groups.find(({ groupTypeId }) => groupTypeId === id) !== undefined) {
      throw cinder.badRequest(
        `Target group type is still in use. Group Type ${id} deletion is not allowed with groups present with the type.`,
      );
    }
    groupTypes.delete(id);
    return sendUntyped(reply, 202);
  });

  const path = "/group_types/:id/group_specs";
  const own = (scope: Scope, id: string, policy: string): GroupType => {
    demandAdmin(scope, `group:group_types:specs:${policy}`);
    return found(id, scope);
  };
  const demandKey = ({ id, specs }: GroupType, key: string, words: string) => {
    if (!Object.hasOwn(specs, key)) throw new ApiError(404, `Group Type ${id} has no ${words} with key ${key}.`);
  };
  app.get<One>(path, (request) => {
    since(request, minor);
    return { group_specs: own(request.scope, request.params.id, "get_all").specs };
  });
  app.post<One>(path, (request, reply) => {
    since(request, minor);
    const type = own(request.scope, request.params.id, "create");
    const body = parseBody(specsBody, request.body);
    groupTypes.put({ ...type, specs: { ...type.specs, ...body.group_specs } });
    return reply.code(202).send(body);
  });
  app.get<OneKey>(`${path}/:key`, (request) => {
    since(request, minor);
    const { id, key } = request.params;
    const type = own(request.scope, id, "get");
    demandKey(type, key, "extra spec");
    return { [key]: type.specs[key] };
  });
  app.put<OneKey>(`${path}/:key`, (request) => {
    since(request, minor);
    const type = own(request.scope, request.params.id, "update");
    const body = parseBody(metadataSchema, request.body);
    if (!Object.hasOwn(body, request.params.key)) throw cinder.badRequest("Request body and URI mismatch");
    groupTypes.put({ ...type, specs: { ...type.specs, ...body } });
    return body;
  });
  app.delete<OneKey>(`${path}/:key`, (request, reply) => {
    since(request, minor);
    const { id, key } = request.params;
    const type = own(request.scope, id, "delete");
    demandKey(type, key, "specs");
    const { [key]: _removed, ...specs } = type.specs;
    groupTypes.put({ ...type, specs });
    return sendUntyped(reply, 202);
  });
}
