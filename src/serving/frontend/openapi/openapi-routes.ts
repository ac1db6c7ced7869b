import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { apiDocs, type DocumentedOperation } from "../../web/api-docs.ts";
import { frontendSettingsOf } from "../config.ts";
import type { FrontendContext } from "../context.ts";
import { sendPage } from "../pages/page-reply.ts";
import type { RouteEntry } from "../route-table.ts";
import { type OpenApiDocument, openApiOf, pageResponse } from "./openapi.ts";

const tags = ["health and identity"];
const schemas = {
  json: {
    summary: "This description, as OpenAPI 3.1",
    tags,
    response: { 200: z.looseObject({ openapi: z.string() }) },
  },
  page: { summary: "This description, for people", tags, response: { 200: pageResponse() } },
};

/** `GET /openapi.json` and `GET /docs`: the interface as its routes declare it. */
export function openApiRoutes(app: FastifyInstance, context: FrontendContext, routes: readonly RouteEntry[]): void {
  const { clientTimeoutMs } = frontendSettingsOf(context.config);
  let made: OpenApiDocument | undefined;
  const document = () => {
    made ??= openApiOf(routes, context.config.payload, clientTimeoutMs);
    return made;
  };

  app.get("/openapi.json", { config: { role: "public" }, schema: schemas.json }, async () => document());

  app.get("/docs", { config: { role: "public" }, schema: schemas.page }, async (request, reply) =>
    sendPage(context, request, reply, apiDocs(operationsIn(document(), routes))),
  );
}

function operationsIn({ paths, components }: OpenApiDocument, routes: readonly RouteEntry[]): DocumentedOperation[] {
  return routes.flatMap(({ method, path, role }) => {
    const shown = path.replace(/:([A-Za-z]+)/g, "{$1}");
    const operation = paths[shown]?.[method.toLowerCase()];
    if (!operation) return [];
    const answered = Object.entries(operation.responses).filter(([status]) => Number(status) < 400);
    const described = [
      ...(operation.requestBody ? [["Takes", operation.requestBody.content] as const] : []),
      ...answered.map(([status, { content }]) => [`Answers ${status}`, content ?? {}] as const),
    ];
    return [
      {
        method,
        path: shown,
        summary: operation.summary,
        description: operation.description,
        tag: operation.tags[0] ?? "others",
        role,
        schemas: described.flatMap(([title, content]) =>
          Object.entries(content as Record<string, { schema: unknown }>)
            .filter(([type]) => type !== "text/html")
            .map(([type, { schema }]) => ({
              title: `${title} ${type}`,
              json: JSON.stringify(resolved(schema, components.schemas as Record<string, unknown>), null, 2),
            })),
        ),
      },
    ];
  });
}

/** A schema with what it refers to put in its place; what refers to itself stays a reference there. */
function resolved(schema: unknown, known: Record<string, unknown>, within: readonly string[] = []): unknown {
  if (Array.isArray(schema)) return schema.map((one) => resolved(one, known, within));
  if (typeof schema !== "object" || schema === null) return schema;
  const { $ref } = schema as { $ref?: unknown };
  if (typeof $ref === "string") {
    return within.includes($ref) ? schema : resolved(known[$ref.split("/").at(-1) ?? ""], known, [...within, $ref]);
  }
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, resolved(value, known, within)]));
}
