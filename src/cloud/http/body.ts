import { z } from "zod";
import { ApiError } from "./api-error.ts";

/** Checks a request's body; the refusal names the field, its value and what is wrong, as Nova and Neutron do. */
export function parseBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  if (issue === undefined) throw new ApiError(400, "Invalid request body", "HTTPBadRequest");
  if (issue.code === "unrecognized_keys") {
    throw new ApiError(400, `Unrecognized attribute(s) '${issue.keys.join(", ")}'`, "HTTPBadRequest");
  }
  const value = issue.path.reduce<unknown>((part, key) => (part as Record<PropertyKey, unknown> | null)?.[key], body);
  const field = issue.path.map(String).join(".") || "body";
  const shown = value === undefined ? "missing" : JSON.stringify(value);
  throw new ApiError(
    400,
    `Invalid input for field/attribute ${field}. Value: ${shown}. ${issue.message}`,
    "HTTPBadRequest",
  );
}

/** A flag of a query string or JSON body: clients send `true`, `"True"`, `"1"`. */
export const booleanLike = z.preprocess((value) => {
  if (typeof value !== "string" && typeof value !== "number") return value;
  const text = String(value).toLowerCase();
  if (["true", "1", "yes", "on"].includes(text)) return true;
  return ["false", "0", "no", "off"].includes(text) ? false : value;
}, z.boolean());
