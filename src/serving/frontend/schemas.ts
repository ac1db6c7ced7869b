import type { FastifyInstance, FastifySchema, FastifySchemaCompiler } from "fastify";
import { z } from "zod";
import { HttpError } from "./errors.ts";

declare module "fastify" {
  interface FastifySchema {
    /** What the route does, one line. */
    summary?: string;
    /** What the line does not say. */
    description?: string;
    /** The part of the interface that the route belongs to. */
    tags?: string[];
  }
}

/** Schemas that only describe: the route's own check is faster, or has better messages. */
const descriptions = new WeakSet<z.ZodType>();

/** A body's schema for the interface's description alone; the handler checks the body itself. */
export function describing<T extends z.ZodType>(schema: T): T {
  descriptions.add(schema);
  return schema;
}

/**
 * Has routes' zod schemas check what comes in, and describe what goes out: an answer is ours, is not checked, and is written by
 * `JSON.stringify`, which is the fastest there is for long lists of numbers.
 */
export function useZodSchemas(app: FastifyInstance): void {
  app.addHook("onRoute", (route) => {
    if (route.schema) route.schema = checkingParts(route.schema);
  });
  app.setValidatorCompiler(validatorOf as FastifySchemaCompiler<unknown>);
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
}

/** A route's schema without the parts that only describe: a check that checks nothing would be part of every request's time. */
function checkingParts(schema: FastifySchema): FastifySchema {
  const parts = Object.entries(schema).map(([key, part]) => [key, PARTS.has(key) ? checking(part) : part]);
  return Object.fromEntries(parts.filter(([, part]) => part !== undefined));
}

const PARTS = new Set(["params", "querystring", "headers", "body"]);

/** The schema, or those of its media types, that check; undefined where there are none. */
function checking(schema: unknown): unknown {
  if (schema instanceof z.ZodType) return descriptions.has(schema) ? undefined : schema;
  const { content = {} } = (schema ?? {}) as { content?: Record<string, { schema: z.ZodType }> };
  const left = Object.entries(content).filter(([, part]) => !descriptions.has(part.schema));
  return left.length > 0 ? { content: Object.fromEntries(left) } : undefined;
}

const codes: Record<string, string> = { querystring: "QUERY_INVALID", body: "REQUEST_INVALID" };

function validatorOf({ schema, httpPart = "" }: { schema: z.ZodType; httpPart?: string }) {
  if (!(schema instanceof z.ZodType)) throw new Error(`a route's ${httpPart} has a schema that is not zod's`);
  return (value: unknown) => {
    const { data, error } = schema.safeParse(value);
    if (!error) return { value: data };
    return { error: new HttpError(400, codes[httpPart] ?? "REQUEST_INVALID", problemIn(httpPart, error)) };
  };
}

function problemIn(httpPart: string, { issues: [issue] }: z.ZodError): string {
  const place = issue?.path.map(String).join(".") ?? "";
  const where = httpPart === "querystring" ? "the address" : httpPart === "params" ? "the path" : `the ${httpPart}`;
  return place === "" ? `${where}: ${issue?.message}` : `"${place.slice(0, 100)}" in ${where}: ${issue?.message}`;
}
