import { isDeepStrictEqual } from "node:util";
import { isMap, Secret, type Value, type ValueMap } from "./value.ts";

/** True where two maps hold the same values; an entry that is null is one that is not there (pulumi/pulumi, PropertyMap.DeepEquals). */
export function equalButForNulls(a: ValueMap, b: ValueMap): boolean {
  return isDeepStrictEqual(withoutNulls(a), withoutNulls(b));
}

function withoutNulls(value: Value): Value {
  if (value instanceof Secret) return Secret.of(withoutNulls(value.value));
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isMap(value)) return value;
  const entries = Object.entries(value).filter(([, item]) => item !== null);
  return Object.fromEntries(entries.map(([key, item]) => [key, withoutNulls(item)]));
}
