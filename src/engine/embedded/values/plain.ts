import { unknown } from "../../resource-provider.ts";
import { isMap, ResourceReference, Secret, type Value, type ValueMap } from "./value.ts";

/** A value as JavaScript has it: secrets in clear, a resource as its id or URN, undefined for what is not known yet. */
function toPlain(value: Value): unknown {
  if (value === unknown) return undefined;
  if (value instanceof Secret) return toPlain(value.value);
  if (value instanceof ResourceReference) return value.id || value.urn;
  if (Array.isArray(value)) return value.map(toPlain);
  return isMap(value) ? mapToPlain(value) : value;
}

/** {@link toPlain} for named values. */
export function mapToPlain(map: ValueMap): Record<string, unknown> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, toPlain(value)]));
}
