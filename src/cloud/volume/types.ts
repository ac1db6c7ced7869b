import type { FastifyInstance } from "fastify";
import { isAdmin, type Scope } from "../identity/scope.ts";
import { cinder } from "./errors.ts";

/** The one type that there is, named as Cinder names its own default. */
export const defaultType = {
  id: "6b4f0b5e-0c5c-5f0e-8a53-2f4d1c0a7b11",
  name: "__DEFAULT__",
  description: "Default Volume Type",
};

/** Whether a request's `volume_type` names the one type. @throws ApiError 404 for any other */
export function demandType(reference: string | null | undefined): void {
  if (reference === undefined || reference === null || reference === "") return;
  if (reference !== defaultType.id && reference !== defaultType.name) throw cinder.typeNotFoundByName(reference);
}

function typeView(scope: Scope): unknown {
  return {
    ...defaultType,
    is_public: true,
    "os-volume-type-access:is_public": true,
    extra_specs: {},
    ...(isAdmin(scope) ? { qos_specs_id: null } : {}),
  };
}

/** `/types` */
export function typeRoutes(app: FastifyInstance): void {
  app.get("/types", ({ scope }) => ({ volume_types: [typeView(scope)] }));
  app.get<{ Params: { id: string } }>("/types/:id", ({ scope, params }) => {
    if (params.id !== "default" && params.id !== defaultType.id) throw cinder.typeNotFound(params.id);
    return { volume_type: typeView(scope) };
  });
}
