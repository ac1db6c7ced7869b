import { randomUUID } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { booleanLike, parseBody } from "../http/body.ts";
import { sendUntyped } from "../http/untyped.ts";
import { isAdmin, type Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import { demandAdmin, type VolumeContext } from "./context.ts";
import { cinder } from "./errors.ts";
import { pageOf } from "./listing.ts";
import {
  defaultTypeId,
  isAskedFor,
  isVisibleType,
  typeByReference,
  type VolumeType,
  visibleType,
} from "./type-records.ts";
import { pageView, viewerAt } from "./view.ts";

const spec = z.string().max(255).nullable();
const specs = (key: RegExp) => z.record(z.string().regex(key), spec);
const createBody = z.strictObject({
  volume_type: z.strictObject({
    name: z.string().min(1).max(255),
    description: z.string().max(255).nullable().optional(),
    extra_specs: specs(/^[a-zA-Z0-9-_:. /]{1,255}$/).optional(),
    "os-volume-type-access:is_public": booleanLike.optional(),
  }),
});
const updateBody = z.strictObject({
  volume_type: z.strictObject({
    name: z.string().min(1).max(255).nullable().optional(),
    description: z.string().max(255).nullable().optional(),
    is_public: booleanLike.optional(),
  }),
});
const specsBody = z.strictObject({ extra_specs: specs(/^[a-zA-Z0-9-_:.]{1,255}$/) });
const accessBody = (name: string) => z.strictObject({ [name]: z.strictObject({ project: z.string().min(1) }) });

/** What others than administrators see of a type's extra specs. */
const visibleSpecs = ["RESKEY:availability_zones", "multiattach", "replication_enabled"];

interface One {
  Params: { id: string };
}
interface OneSpec {
  Params: { id: string; key: string };
}

function shownSpecs({ extraSpecs }: VolumeType, scope: Scope): Record<string, string | null> {
  if (isAdmin(scope)) return extraSpecs;
  return Object.fromEntries(Object.entries(extraSpecs).filter(([name]) => visibleSpecs.includes(name)));
}

function typeView(type: VolumeType, scope: Scope): Record<string, unknown> {
  return {
    id: type.id,
    name: type.name,
    is_public: type.isPublic,
    description: type.description,
    extra_specs: shownSpecs(type, scope),
    "os-volume-type-access:is_public": type.isPublic,
  };
}

/** As it is read; what answers a change leaves the quality of service out. */
function readView(type: VolumeType, scope: Scope): Record<string, unknown> {
  return { ...typeView(type, scope), ...(isAdmin(scope) ? { qos_specs_id: type.qosSpecsId } : {}) };
}

/** `/types`, with extra specs and access. */
export function typeRoutes(app: FastifyInstance, context: VolumeContext): void {
  const { store, types, base } = context;
  app.get("/types", (request) => {
    const { scope, microversion } = request;
    const { is_public: asked, ...query } = request.query as Record<string, string | undefined>;
    const page = pageOf(
      {
        records: types.list((type) => isListed(type, scope, asked)),
        fields: (type) => ({ ...readView(type, scope), created_at: "" }),
        filters: ["is_public", "extra_specs"],
        missing: cinder.typeNotFound,
      },
      { scope, microversion, query },
    );
    return pageView(
      page,
      { name: "volume_types", path: "/types", show: (type) => readView(type, scope) },
      viewerAt(base)(request),
    );
  });
  app.get<One>("/types/:id", ({ scope, params }) => {
    const id = params.id === "default" ? defaultOf(context, scope) : params.id;
    return { volume_type: readView(visibleType(types, scope, id), scope) };
  });

  app.post("/types", ({ scope, body }) => {
    demandAdmin(scope, "volume_extension:type_create");
    const { volume_type: asked } = parseBody(createBody, body);
    const type = store.transaction(() => {
      demandNameFree(context, asked.name);
      return types.put({
        id: randomUUID(),
        name: asked.name,
        description: asked.description ?? null,
        isPublic: asked["os-volume-type-access:is_public"] ?? true,
        extraSpecs: asked.extra_specs ?? {},
        qosSpecsId: null,
        projects: [],
      });
    });
    return { volume_type: typeView(type, scope) };
  });

  app.put<One>("/types/:id", ({ scope, params, body }) => {
    demandAdmin(scope, "volume_extension:type_update");
    const { name, description, is_public } = parseBody(updateBody, body).volume_type;
    if (typeof name === "string" && name.trim() === "") throw cinder.badRequest("Volume type name can not be empty.");
    if ((name ?? description ?? is_public ?? null) === null) {
      throw cinder.badRequest("Specify volume type name, description, is_public or a combination thereof.");
    }
    const type = store.transaction(() => {
      const before = visibleType(types, scope, params.id);
      if (typeof name === "string" && name !== before.name) demandNameFree(context, name);
      return types.put({
        ...before,
        ...(typeof name === "string" ? { name } : {}),
        ...(typeof description === "string" ? { description } : {}),
        ...(is_public === undefined ? {} : { isPublic: is_public }),
      });
    });
    return { volume_type: typeView(type, scope) };
  });

  app.delete<One>("/types/:id", ({ scope, params }, reply) => {
    demandAdmin(scope, "volume_extension:type_delete");
    store.transaction(() => {
      const type = visibleType(types, scope, params.id);
      const isDefault = type.id === defaultTypeId || context.defaultTypes.find(({ typeId }) => typeId === type.id);
      if (isDefault) {
        throw cinder.badRequest(`The volume type ${type.id} is a default volume type and cannot be deleted.`);
      }
      if (isUsed(context, type.id)) throw cinder.badRequest("Target volume type is still in use.");
      types.delete(type.id);
    });
    return sendUntyped(reply, 202);
  });

  app.post<One>("/types/:id/action", ({ scope, params, body }, reply) => {
    const [name] = Object.keys((body as object | null | undefined) ?? {});
    if (name !== "addProjectAccess" && name !== "removeProjectAccess") {
      throw cinder.noSuchAction(String(name));
    }
    demandAdmin(scope, `volume_extension:volume_type_access:${name}`);
    const project = parseBody(accessBody(name), body)[name]?.project ?? "";
    store.transaction(() => {
      const type = visibleType(types, scope, params.id);
      if (type.isPublic) {
        throw cinder.badRequest(
          "Invalid volume type: Type access modification is not applicable to public volume type.",
        );
      }
      const has = type.projects.includes(project);
      if (name === "addProjectAccess") {
        if (has) {
          throw cinder.conflict(`Volume type access for ${type.id} / ${project} combination already exists.`);
        }
        types.put({ ...type, projects: [...type.projects, project] });
      } else {
        if (!has) throw new ApiError(404, `Volume type access not found for ${type.id} / ${project} combination.`);
        types.put({ ...type, projects: type.projects.filter((one) => one !== project) });
      }
    });
    return sendUntyped(reply, 202);
  });
  app.get<One>("/types/:id/os-volume-type-access", ({ scope, params }) => {
    demandAdmin(scope, "volume_extension:volume_type_access:get_all_for_type");
    const type = visibleType(types, scope, params.id);
    if (type.isPublic) throw new ApiError(404, "Access list not available for public volume types.");
    return {
      volume_type_access: type.projects.map((project_id) => ({ volume_type_id: type.id, project_id })),
    };
  });

  extraSpecRoutes(app, context);
}

function extraSpecRoutes(app: FastifyInstance, context: VolumeContext): void {
  const { store, types } = context;
  const path = "/types/:id/extra_specs";
  const change = (id: string, scope: Scope, decide: (specs: VolumeType["extraSpecs"]) => VolumeType["extraSpecs"]) =>
    store.transaction(() => {
      if (isUsed(context, id)) throw cinder.badRequest("Volume Type is currently in use.");
      const type = visibleType(types, scope, id);
      types.put({ ...type, extraSpecs: decide(type.extraSpecs) });
    });
  const missing = (id: string, key: string) =>
    new ApiError(404, `Volume Type ${id} has no extra specs with key ${key}.`);

  app.get<One>(path, ({ scope, params }) => ({
    extra_specs: shownSpecs(visibleType(types, scope, params.id), scope),
  }));
  app.post<One>(path, ({ scope, params, body }) => {
    demandAdmin(scope, "volume_extension:types_extra_specs:create");
    const { extra_specs: added } = parseBody(specsBody, body);
    change(params.id, scope, (before) => ({ ...before, ...added }));
    return { extra_specs: added };
  });
  app.get<OneSpec>(`${path}/:key`, ({ scope, params: { id, key } }) => {
    const found = shownSpecs(visibleType(types, scope, id), scope);
    if (!Object.hasOwn(found, key)) throw missing(id, key);
    return { [key]: found[key] };
  });
  app.put<OneSpec>(`${path}/:key`, ({ scope, params: { id, key }, body }) => {
    demandAdmin(scope, "volume_extension:types_extra_specs:update");
    const asked = parseBody(specsBody.shape.extra_specs, body);
    if (!Object.hasOwn(asked, key)) throw cinder.badRequest("Request body and URI mismatch");
    change(id, scope, (before) => ({ ...before, ...asked }));
    return asked;
  });
  app.delete<OneSpec>(`${path}/:key`, ({ scope, params: { id, key } }, reply) => {
    demandAdmin(scope, "volume_extension:types_extra_specs:delete");
    change(id, scope, ({ [key]: removed, ...rest }) => {
      if (removed === undefined) throw missing(id, key);
      return rest;
    });
    return reply.code(202).send();
  });
}

/** `/default-types`, from 3.62 on: what administrators set for a project. */
export function defaultTypeRoutes(app: FastifyInstance, { store, types, defaultTypes }: VolumeContext): void {
  const admin = ({ scope, microversion }: FastifyRequest, policy: string) => {
    if (microversion < 62) throw cinder.noSuchPath();
    demandAdmin(scope, `volume_extension:default_${policy}`);
  };
  const view = (id: string, typeId: string) => ({ project_id: id, volume_type_id: typeId });
  app.get("/default-types", (request) => {
    admin(request, "get_all");
    return { default_types: defaultTypes.list().map(({ id, typeId }) => view(id, typeId)) };
  });
  app.get<One>("/default-types/:id", (request) => {
    admin(request, "get");
    const found = defaultTypes.get(request.params.id);
    if (found === undefined) throw new ApiError(404, `Default type for project ${request.params.id} not found.`);
    return { default_type: view(found.id, found.typeId) };
  });
  app.put<One>("/default-types/:id", (request) => {
    admin(request, "set_or_update");
    const schema = z.strictObject({ default_type: z.strictObject({ volume_type: z.string().min(1).max(255) }) });
    const { volume_type: reference } = parseBody(schema, request.body).default_type;
    const { id: typeId } = store.transaction(() => {
      const type = typeByReference(types, request.scope, reference);
      defaultTypes.put({ id: request.params.id, typeId: type.id });
      return type;
    });
    return { default_type: view(request.params.id, typeId) };
  });
  app.delete<One>("/default-types/:id", (request, reply) => {
    admin(request, "unset");
    defaultTypes.delete(request.params.id);
    return reply.code(204).send();
  });
}

function defaultOf({ defaultTypes }: VolumeContext, scope: Scope): string {
  return defaultTypes.get(projectOf(scope).id)?.typeId ?? defaultTypeId;
}

function isListed(type: VolumeType, scope: Scope, asked: string | undefined): boolean {
  return isAdmin(scope) ? isAskedFor(type, asked) : isVisibleType(type, scope);
}

function demandNameFree({ types }: VolumeContext, name: string): void {
  if (types.find((type) => type.name === name)) throw cinder.conflict(`Volume Type ${name} already exists.`);
}

function isUsed({ volumes }: VolumeContext, typeId: string): boolean {
  return volumes.find((volume) => (volume.typeId ?? defaultTypeId) === typeId) !== undefined;
}
