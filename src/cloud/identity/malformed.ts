import type { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { pythonRepr } from "../http/python-repr.ts";

/** Keystone's words for a request that it does not understand. */
export function malformed(problem: string): ApiError {
  const rest = "The server could not comply with the request since it is either malformed or otherwise incorrect.";
  return new ApiError(400, `${problem} ${rest} The client is assumed to be in error.`);
}

/**
 * The part of a request's body that is named like the resource, checked; refused with the first line of what Keystone says (its JSON
 * schema follows there).
 */
export function parsePart<T>(schema: z.ZodType<T>, body: unknown, part: string): T {
  const value = (body as Record<string, unknown> | null | undefined)?.[part] ?? {};
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  if (issue === undefined) throw new ApiError(400, "Invalid request body");
  const found = issue.path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | null)?.[key], value);
  const field = issue.path.map(String).join("/");
  if (issue.code === "invalid_type" && found === undefined && issue.path.length > 0) {
    throw new ApiError(400, `'${String(issue.path.at(-1))}' is a required property`);
  }
  if (issue.code === "unrecognized_keys") {
    const names = issue.keys.map((key) => `'${key}'`).join(", ");
    const verb = issue.keys.length === 1 ? "was" : "were";
    throw new ApiError(400, `Additional properties are not allowed (${names} ${verb} unexpected)`);
  }
  const problem = issue.code === "invalid_type" ? `is not of type '${jsonType(issue.expected)}'` : issue.message;
  throw new ApiError(400, `Invalid input for field '${field}': ${pythonRepr(found)} ${problem}`);
}

function jsonType(expected: string): string {
  return { int: "integer", record: "object" }[expected] ?? expected;
}
