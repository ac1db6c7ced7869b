import { type PropertyMap, unknown } from "../../engine/resource-provider.ts";
import { changedNames, changesBetween, rootOf } from "./diff.ts";
import type { Properties } from "./property.ts";
import { defaultsKey, isZero, stateValue, textsOf } from "./values.ts";

/** Key of the timeouts in a resource's outputs, and the key inside it: both are Pulumi's Terraform bridge's. */
const metaKey = "__meta";
const timeoutsKey = "e2bfb730-ecaa-11e6-8f88-34363bc7c4c0";

/** Seconds by phase; the phases that a kind declares. */
export interface Timeouts {
  create?: number;
  update?: number;
  delete?: number;
}

/** `__meta` as the bridge writes it: timeouts in nanoseconds, and the form of the state where that has changed; else nothing. */
export function metaOf(
  { timeouts, schemaVersion }: { timeouts: Timeouts; schemaVersion?: number },
  customCreateSeconds = 0,
): PropertyMap {
  const version = schemaVersion === undefined ? {} : { schema_version: String(schemaVersion) };
  const entries = Object.entries(timeouts) as [keyof Timeouts, number][];
  if (entries.length === 0) return schemaVersion === undefined ? {} : { [metaKey]: JSON.stringify(version) };
  const nanoseconds = entries
    .map(([phase, seconds]) => [phase, phase === "create" && customCreateSeconds > 0 ? customCreateSeconds : seconds])
    .map(([phase, seconds]) => [phase, Number(seconds) * 1e9]);
  return { [metaKey]: JSON.stringify({ [timeoutsKey]: Object.fromEntries(nanoseconds), ...version }) };
}

/** The inputs that the cloud is not asked for again, in state form. */
export function keptInputs(properties: Properties, inputs: PropertyMap): PropertyMap {
  const kept: PropertyMap = {};
  for (const [name, property] of Object.entries(properties)) {
    const value = inputs[name];
    if (property.kept && value !== undefined && value !== null) kept[name] = stateValue(property, value);
  }
  return kept;
}

/** What only the create call told, out of an older state. */
export function onceOutputs(properties: Properties, olds: PropertyMap): PropertyMap {
  const names = Object.keys(properties).filter((name) => properties[name]?.once && olds[name] !== undefined);
  return Object.fromEntries(names.map((name) => [name, olds[name] ?? null]));
}

/**
 * What the bridge's Read adds to a state: lists that neither the program nor the cloud gives are empty, single objects null. Its Create and
 * Update leave them out.
 */
export function emptyCollections(properties: Properties): PropertyMap {
  const empty: PropertyMap = {};
  for (const [name, { shape, computed, output }] of Object.entries(properties)) {
    if (computed || output) continue;
    if (shape.is === "list" || shape.is === "set") empty[name] = [];
    if (shape.is === "object") empty[name] = null;
  }
  return empty;
}

/** The {@link emptyCollections} that a state has from an earlier Read: an Update leaves them as they are. */
export function keptEmptyCollections(properties: Properties, olds: PropertyMap): PropertyMap {
  const had = Object.entries(emptyCollections(properties)).filter(([name, empty]) => {
    const old = olds[name];
    return Array.isArray(old) ? old.length === 0 : old === null && empty === null;
  });
  return Object.fromEntries(had);
}

/** The outputs that a create can promise: inputs as given, unknown where the cloud chooses. */
export function foreseenOutputs(properties: Properties, inputs: PropertyMap): PropertyMap {
  const foreseen: PropertyMap = { id: unknown };
  for (const [name, property] of Object.entries(properties)) {
    const value = inputs[name];
    if (value !== undefined && value !== null) foreseen[name] = stateValue(property, value, true);
    else if (property.computed || property.output) foreseen[name] = unknown;
  }
  return foreseen;
}

/** The outputs that an update can promise: the old ones with what changes. */
export function foreseenUpdate(properties: Properties, olds: PropertyMap, inputs: PropertyMap): PropertyMap {
  const foreseen: PropertyMap = { ...olds };
  for (const name of changedNames(properties, olds, inputs)) {
    const property = properties[name];
    const value = inputs[name];
    if (property === undefined) continue;
    if (value !== undefined && value !== null) foreseen[name] = stateValue(property, value, true);
    else delete foreseen[name];
  }
  return foreseen;
}

/** Inputs that a program would give for an imported resource: what is required or not zero. */
export function importedInputs(properties: Properties, outputs: PropertyMap): PropertyMap {
  const inputs: PropertyMap = { [defaultsKey]: [] };
  for (const [name, property] of Object.entries(properties)) {
    const value = outputs[name];
    if (property.output || property.deprecated || value === undefined || value === null) continue;
    if (property.required || !isZero(value)) inputs[name] = value;
  }
  return inputs;
}

/** Old inputs after a refresh: keys that were there take the cloud's value where it differs, and stop being defaults. */
export function refreshedInputs(properties: Properties, inputs: PropertyMap, outputs: PropertyMap): PropertyMap {
  const drifted = new Set(
    changesBetween(properties, outputs, inputs)
      .map((change) => rootOf(change.path))
      .filter((name) => inputs[name] !== undefined && outputs[name] !== undefined && !properties[name]?.kept),
  );
  const refreshed: PropertyMap = { ...inputs };
  for (const name of drifted) refreshed[name] = outputs[name] ?? null;
  if (inputs[defaultsKey] !== undefined) {
    refreshed[defaultsKey] = textsOf(inputs, defaultsKey).filter((name) => !drifted.has(name));
  }
  return refreshed;
}
