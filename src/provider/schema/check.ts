import { randomBytes } from "node:crypto";
import { type CheckFailure, type PropertyMap, type PropertyValue, unknown } from "../../engine/resource-provider.ts";
import type { Properties, Property, Shape } from "./property.ts";
import { defaultsKey, isMap, textsOf } from "./values.ts";

/** What Check answers. */
export interface Checked {
  inputs: PropertyMap;
  failures: CheckFailure[];
}

/** Whose name is made up when the program gives none. */
export interface AutoName {
  resourceName: string;
}

/**
 * Fills in defaults, makes a name where the program gives none, and says what is wrong. As in Pulumi's Terraform bridge every
 * object carries `__defaults`, the sorted names of what was filled in; a made-up name is kept from the old inputs.
 */
export function checkInputs(
  properties: Properties,
  olds: PropertyMap,
  news: PropertyMap,
  auto?: AutoName,
  env: NodeJS.ProcessEnv = {},
): Checked {
  const failures: CheckFailure[] = [];
  const inputs = checkObject(properties, news, "", { failures, env });
  if (auto !== undefined && inputs.name === undefined && news.name !== unknown) {
    inputs.name = keptName(olds) ?? `${auto.resourceName}-${randomBytes(4).toString("hex").slice(0, 7)}`;
    inputs[defaultsKey] = [...textsOf(inputs, defaultsKey), "name"].sort();
  }
  return { inputs, failures };
}

/** The old name if it was made up; without `__defaults` (a state written by others) every old value may be reused. */
function keptName(olds: PropertyMap): PropertyValue | undefined {
  const madeUp = olds[defaultsKey] === undefined || textsOf(olds, defaultsKey).includes("name");
  return madeUp ? olds.name : undefined;
}

/** What a check writes to and looks at on its way down. */
interface Checking {
  failures: CheckFailure[];
  env: NodeJS.ProcessEnv;
}

function checkObject(properties: Properties, given: PropertyMap, path: string, checking: Checking): PropertyMap {
  const { failures, env } = checking;
  const inputs: PropertyMap = {};
  const defaults: string[] = [];
  const isGiven = (name: string) => given[name] !== undefined && given[name] !== null;
  for (const name of Object.keys(given)) {
    const property = properties[name];
    if (name.startsWith("__") || (property !== undefined && !property.output)) continue;
    failures.push({ property: path + name, reason: `${path + name} is not an input of this resource` });
  }
  for (const [name, property] of Object.entries(properties)) {
    if (property.output) continue;
    const conflicting = property.conflictsWith?.find(isGiven);
    const value = given[name];
    const otherwise = property.default ?? property.defaultFrom?.value(env);
    if (value !== undefined && value !== null) {
      if (conflicting !== undefined) {
        failures.push({ property: path + name, reason: `${name} conflicts with ${conflicting}: give only one` });
      }
      inputs[name] = checkValue(property, value, path + name, checking);
    } else if (otherwise !== undefined && conflicting === undefined) {
      inputs[name] = otherwise;
      defaults.push(name);
    } else if (property.required) {
      failures.push({ property: path + name, reason: `${path + name} is required and missing` });
    }
  }
  failures.push(...choiceFailures(properties, isGiven, path));
  inputs[defaultsKey] = defaults.sort();
  return inputs;
}

function choiceFailures(properties: Properties, isGiven: (name: string) => boolean, path: string): CheckFailure[] {
  const choices = Object.entries(properties).filter(([name, { exactlyOneOf = [] }]) => exactlyOneOf[0] === name);
  return choices
    .filter(([, { exactlyOneOf = [] }]) => exactlyOneOf.filter(isGiven).length !== 1)
    .map(([name, { exactlyOneOf = [] }]) => ({
      property: path + name,
      reason: `exactly one of ${exactlyOneOf.join(", ")} has to be given`,
    }));
}

function checkValue(property: Property, value: PropertyValue, path: string, checking: Checking): PropertyValue {
  const { failures } = checking;
  if (value === unknown) return value;
  const before = failures.length;
  const checked = checkShape(property.shape, value, path, checking);
  if (failures.length > before) return checked;
  if (property.allowed !== undefined && !property.allowed.includes(checked)) {
    const choice = property.allowed.map((one) => JSON.stringify(one)).join(", ");
    failures.push({ property: path, reason: `${path} must be one of ${choice}, not ${JSON.stringify(value)}` });
  }
  const refused = property.refuse?.(checked);
  if (refused !== undefined) failures.push({ property: path, reason: `${path} ${refused}` });
  return checked;
}

function checkShape(shape: Shape, value: PropertyValue, path: string, checking: Checking): PropertyValue {
  if (value === unknown) return value;
  const wrong = () => {
    checking.failures.push({
      property: path,
      reason: `${path} must be ${article(shape.is)}, not ${JSON.stringify(value)}`,
    });
    return value;
  };
  switch (shape.is) {
    case "string":
      return typeof value === "string" ? value : wrong();
    case "boolean":
      if (value === "true" || value === "false") return value === "true";
      return typeof value === "boolean" ? value : wrong();
    case "integer":
    case "number": {
      const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
      if (typeof number !== "number" || !Number.isFinite(number)) return wrong();
      return shape.is === "integer" && !Number.isInteger(number) ? wrong() : number;
    }
    case "map":
      return isMap(value) ? value : wrong();
    case "list":
    case "set":
      if (!Array.isArray(value)) return wrong();
      return value.map((element, index) => checkShape(shape.of, element, `${path}[${index}]`, checking));
    case "object":
      return isMap(value) ? checkObject(shape.fields, value, `${path}.`, checking) : wrong();
  }
}

function article(kind: Shape["is"]): string {
  return /^[aeiou]/.test(kind) ? `an ${kind}` : `a ${kind}`;
}
