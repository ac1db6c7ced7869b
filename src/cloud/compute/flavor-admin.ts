import { randomUUID } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { parseSchema } from "../http/json-schema-words.ts";
import { pythonRepr } from "../http/python-repr.ts";
import { isoSeconds } from "../http/time.ts";
import { demandAdmin } from "./action.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import { demandExtraSpecs } from "./extra-specs.ts";
import type { Flavor } from "./flavor-records.ts";
import { boolean, count, maxInt, name, since, textOrNumber } from "./schema-types.ts";

const description = z.string().max(65_535).nullable();
const id = textOrNumber(/^(?! )[a-zA-Z0-9. _-]+(?<! )$/, ["string", "number", "null"]);
const factor = textOrNumber(/^[0-9]+(\.[0-9]+)?$/, ["number", "string"]);
const createBody = (microversion: number) =>
  z.strictObject({
    flavor: z.strictObject({
      name,
      id: id.optional(),
      ram: count(1, maxInt),
      vcpus: count(1, maxInt),
      disk: count(0, maxInt),
      "OS-FLV-EXT-DATA:ephemeral": count(0, maxInt).optional(),
      swap: count(0, maxInt).optional(),
      rxtx_factor: factor.optional(),
      "os-flavor-access:is_public": boolean.optional(),
      description: since(microversion, 55, description),
    }),
  });
const updateBody = z.strictObject({ flavor: z.strictObject({ description }) });

const specKey = z.string().regex(/^[a-zA-Z0-9-_:. ]{1,255}$/);
const specValue = z.union([z.string().max(255), z.number()]);
const specsBody = z.strictObject({ extra_specs: z.record(specKey, specValue) });
const specBody = z.record(specKey, specValue);

const tenant = z.strictObject({ tenant: z.string().min(1).max(255) });
const accessBodies = {
  addTenantAccess: z.strictObject({ addTenantAccess: tenant }),
  removeTenantAccess: z.strictObject({ removeTenantAccess: tenant }),
};

interface One {
  Params: { id: string };
}
interface OneSpec {
  Params: { id: string; key: string };
}

/** The flavors, those that the cloud came with among them, and how they are shown. */
interface Shown {
  all: () => Flavor[];
  view: (item: Flavor, request: FastifyRequest) => unknown;
}

/** What administrators change of `/flavors`. Flavors that the cloud came with stay as they are. */
export function flavorAdminRoutes(
  app: FastifyInstance,
  { store, flavors }: ComputeContext,
  { all, view }: Shown,
): void {
  const existing = (wanted: string): Flavor => {
    const found = flavors.get(wanted);
    if (found !== undefined) return found;
    if (!all().some((item) => item.id === wanted)) throw nova.flavorNotFound(wanted);
    throw new ApiError(403, `Flavor ${wanted} came with this cloud and stays as it is: make one of your own.`);
  };
  const policy = (action: string) => `os_compute_api:${action}`;

  app.post("/flavors", (request) => {
    const { flavor: asked } = parseSchema(createBody(request.microversion), request.body ?? null);
    demandAdmin(request.scope, policy("os-flavor-manage:create"));
    const wanted = asked.id && asked.id !== "auto" ? asked.id : randomUUID();
    const made = store.transaction(() => {
      if (all().some((item) => item.name === asked.name)) {
        throw new ApiError(409, `Flavor with name ${asked.name} already exists.`);
      }
      if (all().some((item) => item.id === wanted)) {
        throw new ApiError(409, `Flavor with ID ${wanted} already exists.`);
      }
      return flavors.put({
        ...{ id: wanted, name: asked.name, vcpus: asked.vcpus, ram: asked.ram, disk: asked.disk },
        ...{ swap: asked.swap ?? 0, ephemeral: asked["OS-FLV-EXT-DATA:ephemeral"] ?? 0 },
        ...{ rxtxFactor: Number(asked.rxtx_factor ?? 1), isPublic: asked["os-flavor-access:is_public"] ?? true },
        description: asked.description ?? null,
        createdAt: isoSeconds(),
      });
    });
    return view(made, request);
  });

  app.put<One>("/flavors/:id", (request) => {
    if (request.microversion < 55) throw nova.notFound();
    const { flavor: asked } = parseSchema(updateBody, request.body ?? null);
    demandAdmin(request.scope, policy("os-flavor-manage:update"));
    return view(flavors.put({ ...existing(request.params.id), description: asked.description }), request);
  });

  app.delete<One>("/flavors/:id", ({ scope, params }, reply) => {
    demandAdmin(scope, policy("os-flavor-manage:delete"));
    flavors.delete(existing(params.id).id);
    return reply.code(202).send();
  });

  app.post<One>("/flavors/:id/action", ({ scope, params, body, microversion }) => {
    const keys = Object.keys((body as object | null) ?? {});
    const [key = ""] = keys;
    if (keys.length !== 1) throw nova.badRequest("Malformed request body");
    if (key === "addTenantAccess") {
      const { tenant: project } = parseSchema(accessBodies.addTenantAccess, body).addTenantAccess;
      demandAdmin(scope, policy("os-flavor-access:add_tenant_access"));
      demandProject(project);
      return change(params.id, (item) => {
        if (microversion >= 7 && item.isPublic !== false) {
          throw new ApiError(409, "Can not add access to a public flavor.");
        }
        if (item.access?.includes(project)) {
          throw new ApiError(
            409,
            `Flavor access already exists for flavor ${item.id} and project ${project} combination.`,
          );
        }
        return [...(item.access ?? []), project];
      });
    }
    if (key === "removeTenantAccess") {
      const { tenant: project } = parseSchema(accessBodies.removeTenantAccess, body).removeTenantAccess;
      demandAdmin(scope, policy("os-flavor-access:remove_tenant_access"));
      return change(params.id, (item) => {
        if (!item.access?.includes(project)) {
          throw nova.missing(`Flavor access not found for ${item.id} / ${project} combination.`);
        }
        return item.access.filter((other) => other !== project);
      });
    }
    throw nova.noSuchAction(key);
  });

  function change(wanted: string, decide: (item: Flavor) => string[]) {
    const { id: changed, access = [] } = store.transaction(() => {
      const item = existing(wanted);
      return flavors.put({ ...item, access: decide(item) });
    });
    return { flavor_access: access.map((project) => ({ flavor_id: changed, tenant_id: project })) };
  }

  /** Projects are Keystone's records. @throws ApiError 400 */
  function demandProject(project: string): void {
    if (store.collection("project").get(project) === undefined) {
      throw nova.badRequest(`Project ID ${project} is not a valid project.`);
    }
  }

  app.post<One>("/flavors/:id/os-extra_specs", ({ scope, params, body, microversion }) => {
    const asked = parseSchema(specsBody, body ?? null);
    demandAdmin(scope, policy("os-flavor-extra-specs:create"));
    if (microversion >= 86) demandExtraSpecs(asked.extra_specs);
    const found = existing(params.id);
    flavors.put({ ...found, extraSpecs: { ...found.extraSpecs, ...texts(asked.extra_specs) } });
    return asked;
  });
  app.put<OneSpec>("/flavors/:id/os-extra_specs/:key", ({ scope, params, body, microversion }) => {
    const asked = parseSchema(specBody, body ?? null);
    if (Object.keys(asked).length > 1) throw nova.badRequest(`${pythonRepr(asked)} has too many properties`);
    demandAdmin(scope, policy("os-flavor-extra-specs:update"));
    if (!Object.hasOwn(asked, params.key)) throw nova.badRequest("Request body and URI mismatch");
    if (microversion >= 86) demandExtraSpecs(asked);
    const found = existing(params.id);
    flavors.put({ ...found, extraSpecs: { ...found.extraSpecs, ...texts(asked) } });
    return asked;
  });
  app.delete<OneSpec>("/flavors/:id/os-extra_specs/:key", ({ scope, params }, reply) => {
    demandAdmin(scope, policy("os-flavor-extra-specs:delete"));
    const found = existing(params.id);
    const { [params.key]: gone, ...left } = found.extraSpecs ?? {};
    if (gone === undefined) throw nova.extraSpecNotFound(params.id, params.key);
    flavors.put({ ...found, extraSpecs: left });
    return reply.code(200).send();
  });
}

const texts = (specs: Record<string, string | number>): Record<string, string> =>
  Object.fromEntries(Object.entries(specs).map(([key, value]) => [key, String(value)]));
