import { z } from "zod";
import { SESSION_COOKIE } from "../auth.ts";
import type { RouteEntry } from "../route-table.ts";

/** JSON, as OpenAPI and JSON Schema have it. */
type Json = Record<string, unknown>;

/** An OpenAPI 3.1 document. */
export interface OpenApiDocument extends Json {
  openapi: string;
  info: { title: string; version: string; description: string };
  paths: Record<string, Record<string, Operation>>;
  components: Json;
}

/** An operation of a path, as far as our own page reads it. */
interface Operation extends Json {
  summary: string;
  description?: string;
  tags: string[];
  requestBody?: { required: boolean; content: Record<string, { schema: Json }> };
  responses: Record<string, Json>;
}

/** The body of an error answer. */
const errorBody = z
  .object({
    error: z.object({ code: z.string(), message: z.string(), requestId: z.string() }),
  })
  .meta({ id: "Error" });
const v2ErrorBody = z.object({ error: z.string() }).meta({ id: "InferenceError" });

/** A response that is something other than JSON. */
export function response(description: string, mediaType: string, schema: z.ZodType = z.string()) {
  return { description, content: { [mediaType]: { schema } } };
}

/** A page's response; with `Accept: application/json` some answer data instead. */
export function pageResponse(data?: z.ZodType) {
  const content = { "text/html": { schema: z.string() }, ...(data && { "application/json": { schema: data } }) };
  return { description: "a page", content };
}

/** The interface's description, from what its routes declare. */
export function openApiOf(routes: readonly RouteEntry[], version: string, clientTimeoutMs: number): OpenApiDocument {
  const schemas: Json = {};
  const paths: OpenApiDocument["paths"] = {};
  for (const route of routes) {
    const path = route.path.replace(/:([A-Za-z]+)/g, "{$1}");
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route, schemas) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Slipway host",
      version,
      description: `What a host serves. A client that waits ${clientTimeoutMs} ms gets an answer, be it an error, to everything that is not streamed.`,
    },
    servers: [{ url: "/" }],
    paths,
    components: {
      schemas,
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer" },
        session: { type: "apiKey", in: "cookie", name: SESSION_COOKIE },
      },
    },
  };
}

function operationOf({ method, path, role, schema }: RouteEntry, schemas: Json): Operation {
  const { summary = "", description, tags = [], params, querystring, headers, body } = schema;
  const parameters = [
    ...parametersIn("path", pathSchema(path, params), schemas),
    ...parametersIn("query", querystring, schemas),
    ...parametersIn("header", headers, schemas),
  ];
  return {
    operationId: `${method.toLowerCase()} ${path.replace("*", "below")}`
      .replace(/[^A-Za-z0-9]+/g, "_")
      .replace(/_$/, ""),
    summary,
    ...(description !== undefined && { description }),
    tags,
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && { requestBody: { required: true, content: contentOf(body, "input", schemas) } }),
    responses: responsesOf({ method, path, role, schema }, schemas),
    security: role === "public" ? [] : [{ bearer: [role] }, { session: [role] }],
  };
}

/** What the path's parameters are, also where the route says nothing of them. */
function pathSchema(path: string, params: unknown): z.ZodType | undefined {
  if (params instanceof z.ZodType) return params;
  const names = [...path.matchAll(/:([A-Za-z]+)/g)].map(([, name]) => name as string);
  return names.length === 0 ? undefined : z.object(Object.fromEntries(names.map((name) => [name, z.string()])));
}

function parametersIn(place: "path" | "query" | "header", schema: unknown, schemas: Json): Json[] {
  if (!(schema instanceof z.ZodType)) return [];
  const { properties = {}, required = [] } = jsonSchemaOf(schema, "input", schemas) as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...property }]) => ({
    name,
    in: place,
    required: place === "path" || required.includes(name),
    ...(description !== undefined && { description }),
    schema: property,
  }));
}

/** By media type: a route declares JSON's schema alone, or `{content: {type: {schema}}}`. */
function contentOf(declared: unknown, io: "input" | "output", schemas: Json): Record<string, { schema: Json }> {
  const content: Record<string, { schema: unknown }> =
    declared instanceof z.ZodType
      ? { "application/json": { schema: declared } }
      : ((declared as { content?: Record<string, { schema: unknown }> }).content ?? {});
  return Object.fromEntries(
    Object.entries(content).map(([type, { schema }]) => [
      type,
      { schema: jsonSchemaOf(schema as z.ZodType, io, schemas) },
    ]),
  );
}

const failures: Record<string, string> = {
  400: "the request is wrong; the message says where",
  401: "a token is needed, or the token is unknown or has expired",
  403: "the token's role is not enough",
  404: "there is none of this name",
  413: "more than is taken at once",
  415: "a content type that is not taken",
  429: "too many requests: ask again after Retry-After",
  500: "a defect, told in the log",
  503: "not at the moment: ask again after Retry-After, where there is one",
  504: "no answer in time",
};

function responsesOf({ path, role, schema }: RouteEntry, schemas: Json): Record<string, Json> {
  const declared = (schema.response ?? {}) as Record<string, unknown>;
  const statuses = [
    ...(schema.body !== undefined || schema.querystring !== undefined ? ["400"] : []),
    ...(role === "public" ? [] : ["401", "403"]),
    ...(path.includes(":") ? ["404"] : []),
    ...(schema.body === undefined ? [] : ["413", "415"]),
    ...["429", "500", "503", "504"],
  ];
  const body = path.startsWith("/v2") ? v2ErrorBody : errorBody;
  const failed = statuses.map((status) => [
    status,
    { description: failures[status], ...headersOf(status), content: contentOf(body, "output", schemas) },
  ]);
  const answered = Object.entries(declared).map(([status, one]) => {
    const { description } = one instanceof z.ZodType ? (one.meta() ?? {}) : (one as { description?: string });
    return [status, { description: description ?? "the answer", content: contentOf(one, "output", schemas) }];
  });
  return Object.fromEntries([...failed, ...answered]) as Record<string, Json>;
}

function headersOf(status: string): Json {
  const header = { 401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After" }[status];
  return header === undefined ? {} : { headers: { [header]: { schema: { type: "string" } } } };
}

/** A zod schema as JSON Schema 2020-12, with what has an id moved to the components. */
function jsonSchemaOf(schema: z.ZodType, io: "input" | "output", schemas: Json): Json {
  const { $schema, $defs, ...json } = z.toJSONSchema(schema, { io, unrepresentable: "any" }) as Json;
  const moved = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(moved);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [
        key,
        key === "$ref" && typeof inner === "string" ? inner.replace("#/$defs/", "#/components/schemas/") : moved(inner),
      ]),
    );
  };
  for (const [id, definition] of Object.entries(($defs ?? {}) as Json)) schemas[id] = moved(definition);
  return moved(json) as Json;
}
