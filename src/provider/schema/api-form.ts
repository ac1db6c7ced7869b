import type { PropertyMap, PropertyValue } from "../../engine/resource-provider.ts";
import type { Properties, Shape } from "./property.ts";
import { isMap, zeroOf } from "./values.ts";

/** An object of the cloud's API. */
export type ApiObject = Record<string, unknown>;

/** The given inputs under their API names; `only` restricts to these properties, absent ones among them as zero values. */
export function toApi(properties: Properties, inputs: PropertyMap, only?: ReadonlySet<string>): ApiObject {
  const sent: ApiObject = {};
  for (const [name, property] of Object.entries(properties)) {
    if (property.field === undefined || property.output || (only !== undefined && !only.has(name))) continue;
    const value = inputs[name];
    if (value !== undefined && value !== null) sent[property.field] = encode(property.shape, value);
    else if (only !== undefined) sent[property.field] = zeroOf(property.shape);
  }
  return sent;
}

/** What the state says of an API object: every mapped property that is read back, null as its zero value. */
export function fromApi(properties: Properties, api: ApiObject): PropertyMap {
  const state: PropertyMap = {};
  for (const [name, property] of Object.entries(properties)) {
    if (property.field === undefined || property.kept) continue;
    state[name] = decode(property.shape, api[property.field]);
  }
  return state;
}

function encode(shape: Shape, value: PropertyValue): unknown {
  if ((shape.is === "list" || shape.is === "set") && Array.isArray(value)) {
    return value.map((element) => encode(shape.of, element));
  }
  if (shape.is === "object" && isMap(value)) return toApi(shape.fields, value);
  return value;
}

function decode(shape: Shape, value: unknown): PropertyValue {
  if (value === undefined || value === null) return zeroOf(shape);
  if ((shape.is === "list" || shape.is === "set") && Array.isArray(value)) {
    return value.map((element) => decode(shape.of, element));
  }
  if (shape.is === "object") return fromApi(shape.fields, value as ApiObject);
  if (shape.is === "integer" || shape.is === "number") return Number(value);
  return value as PropertyValue;
}
