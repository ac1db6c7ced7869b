import type { FastifyInstance } from "fastify";
import { invalidRequest } from "../../inference/question.ts";
import {
  loadModel,
  loadParameters,
  repositoryIndex,
  unloadModel,
  unloadParameters,
} from "../../inference/repository.ts";
import type { FrontendContext } from "../context.ts";
import { schemas } from "./schemas.ts";

/** A body as it came; null for none. */
type Body = Buffer | undefined;

interface ModelRequest {
  Params: { name: string };
  Body: Body;
}

/** The model repository extension: what the host has, and what of it serves. */
export function repositoryRoutes(app: FastifyInstance, context: FrontendContext): void {
  app.post<{ Body: Body }>("/v2/repository/index", { config: { role: "read" }, schema: schemas.index }, ({ body }) => {
    const { ready = false } = objectIn(body);
    if (typeof ready !== "boolean") throw invalidRequest(`"ready" is neither true nor false`);
    return repositoryIndex(context, ready);
  });
  app.post<ModelRequest>(
    "/v2/repository/models/:name/load",
    { config: { role: "deploy" }, schema: schemas.load },
    async ({ params, body }) => {
      await loadModel(context, params.name, loadParameters(parametersIn(body)));
      return {};
    },
  );
  app.post<ModelRequest>(
    "/v2/repository/models/:name/unload",
    { config: { role: "deploy" }, schema: schemas.unload },
    async ({ params, body }) => {
      await unloadModel(context, params.name, unloadParameters(parametersIn(body)));
      return {};
    },
  );
}

function parametersIn(body: Body): Record<string, unknown> {
  const { parameters = {} } = objectIn(body);
  if (!isObject(parameters)) throw invalidRequest("the parameters are no JSON object");
  return parameters;
}

/** The JSON object of a body; an empty one for an empty body. Throws HttpError 400. */
function objectIn(body: Body): Record<string, unknown> {
  if (body === undefined || body.length === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(body.toString("utf8"));
  } catch {
    throw invalidRequest("the request is not JSON");
  }
  if (isObject(value)) return value;
  throw invalidRequest("the request is no JSON object");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
