import { ApiError } from "../http/api-error.ts";
import { neutron } from "./errors.ts";
import { isObject, listOf, text } from "./validators.ts";

const tagList = listOf(text(255));

/** The body of `PUT …/tags`. @throws ApiError 400 */
export function parseTags(input: unknown): string[] {
  if (!isObject(input) || !("tags" in input)) throw neutron.invalidInput("Invalid tags body");
  const fault = tagList(input.tags);
  if (fault !== undefined) throw neutron.invalidInput(fault);
  return input.tags as string[];
}

/** One tag out of a path. @throws ApiError 400 */
export function parseTag(tag: string): string {
  const fault = text(255)(tag);
  if (fault !== undefined) throw neutron.invalidInput(fault);
  return tag;
}

export function tagNotFound(tag: string): ApiError {
  return new ApiError(404, `Tag ${tag} could not be found.`, "TagNotFound");
}

/** Neutron looks for tags' owners in its own way. */
export function taggedNotFound(collection: string, id: string): ApiError {
  return new ApiError(404, `Resource ${collection} ${id} could not be found.`, "TagResourceNotFound");
}
