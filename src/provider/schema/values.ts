import { type PropertyMap, type PropertyValue, unknown } from "../../engine/resource-provider.ts";
import type { Properties, Property, Shape } from "./property.ts";

/** Key of the list of names that the provider filled in, in every object of a resource's inputs. */
export const defaultsKey = "__defaults";

/** True for the values that Terraform cannot tell from "not given". */
export function isZero(value: PropertyValue | undefined): boolean {
  if (value === undefined || value === null || value === "" || value === 0 || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return isMap(value) && Object.keys(value).every((key) => key === defaultsKey);
}

/** The zero value of a shape, as the state has it. */
export function zeroOf(shape: Shape): PropertyValue {
  switch (shape.is) {
    case "string":
      return "";
    case "boolean":
      return false;
    case "integer":
    case "number":
      return 0;
    case "map":
      return {};
    case "list":
    case "set":
      return [];
    case "object":
      return null;
  }
}

export function isMap(value: PropertyValue | undefined): value is PropertyMap {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** True where a value, or anything inside it, is not known yet. */
export function hasUnknown(value: PropertyValue | undefined): boolean {
  if (value === unknown) return true;
  if (Array.isArray(value)) return value.some(hasUnknown);
  return isMap(value) && Object.values(value).some(hasUnknown);
}

/**
 * An input in the form of the state: without `__defaults`, objects with all their fields (absent ones as zero, or
 * unknown in a preview where the cloud chooses). A preview shows what the program says, not what the state makes of it.
 */
export function stateValue(property: Property, input: PropertyValue, preview = false): PropertyValue {
  if (input === unknown) return unknown;
  const shaped = shapedValue(property.shape, input, preview);
  return property.toState === undefined || preview || hasUnknown(shaped) ? shaped : property.toState(shaped);
}

function shapedValue(shape: Shape, input: PropertyValue, preview: boolean): PropertyValue {
  if (input === unknown || input === null) return input;
  if ((shape.is === "list" || shape.is === "set") && Array.isArray(input)) {
    return input.map((element) => shapedValue(shape.of, element, preview));
  }
  if (shape.is === "object" && isMap(input)) return filledObject(shape.fields, input, preview);
  return input;
}

function filledObject(fields: Properties, input: PropertyMap, preview: boolean): PropertyMap {
  const filled: PropertyMap = {};
  for (const [name, property] of Object.entries(fields)) {
    const value = input[name];
    if (value !== undefined && value !== null) filled[name] = stateValue(property, value, preview);
    else filled[name] = preview && property.computed ? unknown : zeroOf(property.shape);
  }
  return filled;
}

/** Text of a property; undefined where it is absent, empty or not text. */
export function textOf(values: PropertyMap, name: string): string | undefined {
  const value = values[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** The texts of a list property; empty where it is absent. */
export function textsOf(values: PropertyMap, name: string): string[] {
  const value = values[name];
  return Array.isArray(value) ? value.filter((element): element is string => typeof element === "string") : [];
}

/** The objects of a list property; empty where it is absent. */
export function mapsOf(values: PropertyMap, name: string): PropertyMap[] {
  const value = values[name];
  return Array.isArray(value) ? value.filter(isMap) : [];
}
