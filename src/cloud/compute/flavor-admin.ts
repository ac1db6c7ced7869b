import { randomUUID } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { booleanLike, parseBody } from "../http/body.ts";
import { isAdmin, type Scope } from "../identity/scope.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import type { Flavor } from "./flavor-records.ts";

const count = (least: number) => z.coerce.number().int().min(least).max(2_147_483_647);
const createBody = (microversion: number) =>
  z.strictObject({
    flavor: z.strictObject({
      name: z.string().trim().min(1).max(255),
      id: z
        .union([z.string().regex(/^(?! )[\w .-]{1,255}(?<! )$/), z.number().transform(String)])
        .nullable()
        .optional(),
      ram: count(1),
      vcpus: count(1),
      disk: count(0),
      swap: count(0).optional(),
      "OS-FLV-EXT-DATA:ephemeral": count(0).optional(),
      rxtx_factor: z.coerce.number().positive().optional(),
      "os-flavor-access:is_public": booleanLike.optional(),
      description: microversion >= 55 ? z.string().max(65_535).nullable().optional() : z.undefined().optional(),
    }),
  });
const updateBody = z.strictObject({ flavor: z.strictObject({ description: z.string().max(65_535).nullable() }) });
const specsBody = z.strictObject({
  extra_specs: z.record(z.string().regex(/^[\w .:-]{1,255}$/), z.union([z.string(), z.number().transform(String)])),
});

interface One {
  Params: { id: string };
}
interface OneSpec {
  Params: { id: string; key: string };
}

/** What administrators change of `/flavors`. Flavors that the cloud came with stay as they are. */
export function flavorAdminRoutes(
  app: FastifyInstance,
  { store, flavors }: ComputeContext,
  view: (item: Flavor, request: FastifyRequest) => unknown,
): void {
  const changeable = (scope: Scope, id: string, action: string): Flavor => {
    if (!isAdmin(scope)) throw nova.forbidden(`os_compute_api:${action}`);
    const found = flavors.get(id);
    if (found === undefined) throw nova.flavorNotFound(id);
    return found;
  };

  app.post("/flavors", (request) => {
    if (!isAdmin(request.scope)) throw nova.forbidden("os_compute_api:os-flavor-manage:create");
    const { flavor: asked } = parseBody(createBody(request.microversion), request.body);
    const id = asked.id && asked.id !== "auto" ? asked.id : randomUUID();
    const made = store.transaction(() => {
      if (flavors.get(id) !== undefined) throw new ApiError(409, `Flavor with ID ${id} already exists.`);
      if (flavors.find((item) => item.name === asked.name) !== undefined) {
        throw new ApiError(409, `Flavor with name ${asked.name} already exists.`);
      }
      return flavors.put({
        ...{ id, name: asked.name, vcpus: asked.vcpus, ram: asked.ram, disk: asked.disk },
        ...{ swap: asked.swap ?? 0, ephemeral: asked["OS-FLV-EXT-DATA:ephemeral"] ?? 0 },
        ...{ rxtxFactor: asked.rxtx_factor ?? 1, isPublic: asked["os-flavor-access:is_public"] ?? true },
        description: asked.description ?? null,
      });
    });
    return view(made, request);
  });

  app.put<One>("/flavors/:id", (request) => {
    if (request.microversion < 55) throw new ApiError(404, "The resource could not be found.");
    const { flavor: asked } = parseBody(updateBody, request.body);
    const found = changeable(request.scope, request.params.id, "os-flavor-manage:update");
    return view(flavors.put({ ...found, description: asked.description }), request);
  });

  app.delete<One>("/flavors/:id", ({ scope, params }, reply) => {
    flavors.delete(changeable(scope, params.id, "os-flavor-manage:delete").id);
    return reply.code(202).send();
  });

  app.post<One>("/flavors/:id/os-extra_specs", ({ scope, params, body }) => {
    const found = changeable(scope, params.id, "os-flavor-extra-specs:create");
    const { extra_specs: asked } = parseBody(specsBody, body);
    flavors.put({ ...found, extraSpecs: { ...found.extraSpecs, ...asked } });
    return { extra_specs: asked };
  });
  app.delete<OneSpec>("/flavors/:id/os-extra_specs/:key", ({ scope, params }, reply) => {
    const found = changeable(scope, params.id, "os-flavor-extra-specs:delete");
    const { [params.key]: gone, ...left } = found.extraSpecs ?? {};
    if (gone === undefined) {
      throw new ApiError(404, `Flavor ${params.id} has no extra specs with key ${params.key}.`);
    }
    flavors.put({ ...found, extraSpecs: left });
    return reply.code(200).send();
  });
}
