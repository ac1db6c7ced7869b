import { unknown } from "../../resource-provider.ts";

/** A property value inside the engine: JSON, {@link unknown}, secrets and references to resources. Assets stay in their wire form. */
export type Value = null | boolean | number | string | typeof unknown | Secret | ResourceReference | Value[] | ValueMap;

/** Named property values. */
export type ValueMap = { [key: string]: Value };

/** A value that must not be shown or stored in clear. Never nested directly in another one. */
export class Secret {
  readonly value: Value;

  private constructor(value: Value) {
    this.value = value;
  }

  static of(value: Value): Secret {
    return value instanceof Secret ? value : new Secret(value);
  }
}

/** A resource used as a value; `id` is absent for components and empty while it is not known. */
export class ResourceReference {
  readonly urn: string;
  readonly id: string | undefined;
  readonly packageVersion: string;

  constructor(urn: string, id: string | undefined, packageVersion: string) {
    this.urn = urn;
    this.id = id;
    this.packageVersion = packageVersion;
  }
}

/** True for named values, as opposed to lists, secrets and references. */
export function isMap(value: Value | undefined): value is ValueMap {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Secret) &&
    !(value instanceof ResourceReference)
  );
}

/** A map's own entry; user-chosen keys may be named like the members of every object. */
export function entry<V>(map: Readonly<Record<string, V>>, key: string): V | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

/** Applies `change` to every entry of a map. */
export function mapValues<V, W>(map: Record<string, V>, change: (value: V, key: string) => W): Record<string, W> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, change(value, key)]));
}

/** True when `test` holds for the value or anything within it. */
export function someWithin(value: Value, test: (value: Value) => boolean): boolean {
  if (test(value)) return true;
  if (value instanceof Secret) return someWithin(value.value, test);
  if (Array.isArray(value)) return value.some((item) => someWithin(item, test));
  return isMap(value) && Object.values(value).some((item) => someWithin(item, test));
}

/** True when any part is not known yet. */
export function containsUnknown(value: Value): boolean {
  return someWithin(value, (part) => part === unknown || (part instanceof ResourceReference && part.id === ""));
}
