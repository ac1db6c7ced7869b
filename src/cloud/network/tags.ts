import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { parseBody } from "../http/body.ts";

const tag = z.string().min(1).max(255);

/** The body of `PUT …/tags`, each tag once. */
export function parseTags(input: unknown): string[] {
  return [...new Set(parseBody(z.strictObject({ tags: z.array(tag).max(50) }), input).tags)];
}

/** One tag out of a path. */
export function parseTag(text: string): string {
  return parseBody(tag, text);
}

export function tagNotFound(text: string): ApiError {
  return new ApiError(404, `Tag ${text} could not be found.`, "TagNotFound");
}
