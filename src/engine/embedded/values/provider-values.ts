import { type PropertyMap, type PropertyValue, unknown } from "../../resource-provider.ts";
import { entry, isMap, mapValues, ResourceReference, Secret, type Value, type ValueMap } from "./value.ts";

/** What a provider gets to see of a value: secrets in clear, a resource as its id (a component as its URN). */
export function toProvider(value: Value): PropertyValue {
  if (value instanceof Secret) return toProvider(value.value);
  if (value instanceof ResourceReference) return value.id === "" ? unknown : (value.id ?? value.urn);
  if (Array.isArray(value)) return value.map(toProvider);
  return isMap(value) ? mapValues(value, toProvider) : (value as PropertyValue);
}

/** {@link toProvider} for named values. */
export function mapToProvider(map: ValueMap): PropertyMap {
  return mapValues(map, toProvider);
}

/**
 * Marks secret again what a provider answered in clear: every key whose same-named counterpart is secret, at any depth.
 * Providers do not carry secrets, so this is how an input's secrecy reaches checked inputs and outputs.
 */
export function withSecretsOf(answer: ValueMap, source: ValueMap): ValueMap {
  return mapValues(answer, (value, key) => {
    const counterpart = entry(source, key);
    return counterpart === undefined ? value : secretLike(value, counterpart);
  });
}

function secretLike(value: Value, source: Value): Value {
  if (source instanceof Secret) return Secret.of(value);
  if (isMap(value) && isMap(source)) return withSecretsOf(value, source);
  if (Array.isArray(value) && Array.isArray(source)) {
    return value.map((item, index) => (index < source.length ? secretLike(item, source[index] as Value) : item));
  }
  return value;
}

/** The inputs, once more under the names of the outputs that repeat them. A list may come back in another order, so one secret makes it all secret. */
export function withRepeated(inputs: ValueMap, inputByOutput: Record<string, string>): ValueMap {
  const repeated = Object.entries(inputByOutput).flatMap(([output, input]): [string, Value][] => {
    const value = entry(inputs, input);
    if (value === undefined) return [];
    const holdsSecret = Array.isArray(value) && value.some((item) => item instanceof Secret);
    return [[output, holdsSecret ? Secret.of(value) : value]];
  });
  return { ...Object.fromEntries(repeated), ...inputs };
}

/** Marks the named keys secret. */
export function withSecretKeys(map: ValueMap, keys: readonly string[]): ValueMap {
  return mapValues(map, (value, key) => (keys.includes(key) ? Secret.of(value) : value));
}
