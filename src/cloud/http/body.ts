import { z } from "zod";
import { InvalidInput } from "./invalid-input.ts";

/**
 * Checks a request's body, or a part of it.
 * @throws InvalidInput
 */
export function parseBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  throw new InvalidInput(result.error.issues, body === undefined ? null : body);
}

/** A flag of a query string or JSON body: clients send `true`, `"True"`, `"1"`. */
export const booleanLike = z.preprocess((value) => {
  if (typeof value !== "string" && typeof value !== "number") return value;
  const text = String(value).toLowerCase();
  if (["true", "1", "yes", "on"].includes(text)) return true;
  return ["false", "0", "no", "off"].includes(text) ? false : value;
}, z.boolean());
