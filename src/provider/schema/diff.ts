import { type DiffKind, type PropertyMap, type PropertyValue, unknown } from "../../engine/resource-provider.ts";
import type { Properties, Property, Shape } from "./property.ts";
import { defaultsKey, hasUnknown, isMap, isZero, stateValue } from "./values.ts";

/** One difference between the state and what the program wants. */
export interface Change {
  /** Property path, e.g. `networks[0].port`. */
  path: string;
  kind: "add" | "update" | "delete";
  replace: boolean;
}

/** The kind of a change in the provider protocol's words. */
export function diffKind(change: Change): DiffKind {
  return change.replace ? `${change.kind}-replace` : change.kind;
}

/** The top-level property that a path is in. */
export function rootOf(path: string): string {
  return path.split(/[.[]/, 1)[0] ?? path;
}

/**
 * Compares a resource's state with new inputs as Terraform does: a given input with the state; an absent one counts only where
 * the cloud does not choose the value and the state is not zero.
 */
export function changesBetween(properties: Properties, state: PropertyMap, inputs: PropertyMap): Change[] {
  return Object.entries(properties)
    .filter(([, property]) => !property.output)
    .flatMap(([name, property]) => changesOf(name, property, state[name], inputs[name]));
}

/** The names of the changed properties. */
export function changedNames(properties: Properties, state: PropertyMap, inputs: PropertyMap): Set<string> {
  return new Set(changesBetween(properties, state, inputs).map((change) => rootOf(change.path)));
}

function changesOf(
  path: string,
  property: Property,
  state: PropertyValue | undefined,
  input: PropertyValue | undefined,
): Change[] {
  const replace = property.replaces ?? false;
  if (input === undefined || input === null) {
    return property.computed || isZero(state) ? [] : [{ path, kind: "delete", replace }];
  }
  if (input === unknown) return [{ path, kind: isZero(state) ? "add" : "update", replace }];
  const wanted = property.toState === undefined ? input : stateValue(property, input);
  if (isZero(state) && isZero(wanted)) return [];
  if (state === undefined || state === null) return [{ path, kind: "add", replace }];
  if (property.same?.(state, wanted)) return [];
  return shapedChanges(path, property.shape, replace, state, wanted);
}

function shapedChanges(
  path: string,
  shape: Shape,
  replace: boolean,
  state: PropertyValue,
  wanted: PropertyValue,
): Change[] {
  const whole: Change[] = [{ path, kind: "update", replace }];
  switch (shape.is) {
    case "list":
      return Array.isArray(state) && Array.isArray(wanted)
        ? listChanges(path, shape.of, replace, state, wanted)
        : whole;
    case "set":
      return Array.isArray(state) && Array.isArray(wanted) ? setChanges(path, shape.of, replace, state, wanted) : whole;
    case "map":
      return isMap(state) && isMap(wanted) ? mapChanges(path, replace, state, wanted) : whole;
    case "object":
      return isMap(state) && isMap(wanted) ? objectChanges(path, shape.fields, state, wanted) : whole;
    default:
      return state === wanted ? [] : whole;
  }
}

function listChanges(
  path: string,
  of: Shape,
  replace: boolean,
  state: PropertyValue[],
  wanted: PropertyValue[],
): Change[] {
  const changes: Change[] = [];
  for (let index = 0; index < Math.max(state.length, wanted.length); index += 1) {
    const at = `${path}[${index}]`;
    const before = state[index];
    const after = wanted[index];
    if (after === unknown) changes.push({ path: at, kind: "update", replace });
    else if (before === undefined) changes.push(elementChange(path, of, replace, index, "add", after));
    else if (after === undefined) changes.push(elementChange(path, of, replace, index, "delete", before));
    else changes.push(...shapedChanges(at, of, replace, before, after));
  }
  return changes;
}

/** Elements are told apart by all fields that can be given: what is not in both sets was added or deleted. */
function setChanges(
  path: string,
  of: Shape,
  replace: boolean,
  state: PropertyValue[],
  wanted: PropertyValue[],
): Change[] {
  const key = (value: PropertyValue) =>
    hasUnknown(value) ? "" : canonical(withoutOutputs(of, stateValue({ shape: of }, value)));
  const [before, after] = [state.map(key), wanted.map(key)];
  const deleted = before.flatMap((one, index) => (after.includes(one) ? [] : [index]));
  const added = after.flatMap((one, index) => (before.includes(one) && one !== "" ? [] : [index]));
  return [
    ...deleted.map((index) => elementChange(path, of, replace, index, "delete", state[index])),
    ...added.map((index) => elementChange(path, of, replace, index, "add", wanted[index])),
  ];
}

function elementChange(
  path: string,
  of: Shape,
  replace: boolean,
  index: number,
  kind: Change["kind"],
  element: PropertyValue | undefined,
): Change {
  return { path: `${path}[${index}]`, kind, replace: replace || replacesWith(of, element) };
}

/** True where an element comes or goes with a field that cannot be changed: Terraform compares field by field. */
function replacesWith(of: Shape, element: PropertyValue | undefined): boolean {
  if (of.is !== "object" || !isMap(element)) return false;
  return Object.entries(of.fields).some(([name, { replaces }]) => replaces && !isZero(element[name]));
}

function withoutOutputs(shape: Shape, value: PropertyValue): PropertyValue {
  if (shape.is !== "object" || !isMap(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([name]) => !shape.fields[name]?.output));
}

function mapChanges(path: string, replace: boolean, state: PropertyMap, wanted: PropertyMap): Change[] {
  const names = new Set([...Object.keys(state), ...Object.keys(wanted)].filter((name) => name !== defaultsKey));
  return [...names].flatMap((name): Change[] => {
    const at = `${path}.${name}`;
    const before = state[name];
    const after = wanted[name];
    if (before === undefined) return [{ path: at, kind: "add", replace }];
    if (after === undefined) return [{ path: at, kind: "delete", replace }];
    return canonical(before) === canonical(after) ? [] : [{ path: at, kind: "update", replace }];
  });
}

function objectChanges(path: string, fields: Properties, state: PropertyMap, wanted: PropertyMap): Change[] {
  return changesBetween(fields, state, wanted).map((change) => ({ ...change, path: `${path}.${change.path}` }));
}

/** JSON with sorted keys; unknown values are never equal to anything. */
function canonical(value: PropertyValue): string {
  if (value === unknown) return `unknown ${Math.random()}`;
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (!isMap(value)) return JSON.stringify(value);
  const members = Object.keys(value).sort();
  return `{${members.map((name) => `${JSON.stringify(name)}:${canonical(value[name] ?? null)}`).join(",")}}`;
}
