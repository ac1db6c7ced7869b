import { decodeState, encodeState, type SecretCodec } from "../values/state-json.ts";
import type { Value, ValueMap } from "../values/value.ts";
import type { Json } from "../values/wire.ts";

/** One resource in the state. The object's identity matters: a replaced resource and its successor share the URN. */
export interface ResourceState {
  urn: string;
  type: string;
  custom: boolean;
  id?: string;
  inputs: ValueMap;
  outputs: ValueMap;
  parent?: string;
  /** `<urn>::<id>` of the provider resource. */
  provider?: string;
  dependencies: string[];
  propertyDependencies: Record<string, string[]>;
  /** Replaced already, to be deleted after the program has run. */
  delete?: boolean;
  /** Read by the program, not owned. */
  external?: boolean;
  protect?: boolean;
  retainOnDelete?: boolean;
  /** Deleted already, to be created again. */
  pendingReplacement?: boolean;
  deletedWith?: string;
  /** What the program gave as `import`. */
  importID?: string;
  /** What the program replaces the resource for. */
  replacementTrigger?: Value;
  additionalSecretOutputs: string[];
  /** Seconds by operation. */
  customTimeouts?: Record<string, number>;
  /** Why the resource is not what it should be, though it exists. */
  initErrors: string[];
  /** RFC 3339. */
  created?: string;
  modified?: string;
  ignoreChanges: string[];
  replaceOnChanges: string[];
  /** Fields of the file that this engine does not use; kept as they are. */
  rest: { [key: string]: Json };
}

/** A resource as the checkpoint file has it. */
export type ResourceJson = { [key: string]: Json };

const plainFields = [
  "id",
  "parent",
  "provider",
  "delete",
  "external",
  "protect",
  "retainOnDelete",
  "pendingReplacement",
  "deletedWith",
  "importID",
  "customTimeouts",
  "created",
  "modified",
] as const;
const listFields = [
  "dependencies",
  "additionalSecretOutputs",
  "initErrors",
  "ignoreChanges",
  "replaceOnChanges",
] as const;

/** Reads a resource of the file. */
export function resourceFromJson(json: ResourceJson, codec: SecretCodec): ResourceState {
  const { urn, type, custom, inputs, outputs, propertyDependencies, replacementTrigger, ...others } = json;
  const slot = slotOf(json);
  const rest = { ...others };
  const state: Record<string, unknown> = {
    urn,
    type,
    custom: custom === true,
    inputs: decodeState(inputs ?? {}, codec, `${slot} inputs`),
    outputs: decodeState(outputs ?? {}, codec, `${slot} outputs`),
    propertyDependencies: propertyDependencies ?? {},
    rest,
  };
  if (replacementTrigger !== undefined) {
    state.replacementTrigger = decodeState(replacementTrigger, codec, `${slot} trigger`);
  }
  for (const field of plainFields) {
    if (rest[field] !== undefined) state[field] = rest[field];
    delete rest[field];
  }
  for (const field of listFields) {
    state[field] = rest[field] ?? [];
    delete rest[field];
  }
  return state as unknown as ResourceState;
}

/** A resource as the file wants it: what is empty or false is left out. */
export function resourceToJson(state: ResourceState, codec: SecretCodec): ResourceJson {
  const { rest, urn, type, custom, inputs, outputs, replacementTrigger, ...fields } = state;
  const slot = slotOf({ urn, id: state.id ?? null, delete: state.delete ?? null });
  const json: ResourceJson = {
    urn,
    custom,
    type,
    inputs: encodeState(inputs, codec, `${slot} inputs`),
    outputs: encodeState(outputs, codec, `${slot} outputs`),
    ...(fields as ResourceJson),
    ...rest,
    ...(replacementTrigger === undefined
      ? {}
      : { replacementTrigger: encodeState(replacementTrigger, codec, `${slot} trigger`) }),
  };
  for (const [key, value] of Object.entries(json)) {
    if (key !== "custom" && isEmpty(value)) delete json[key];
  }
  return json;
}

/** Where a resource's secrets are: successor and predecessor of a replacement have the URN in common, so the id counts too. */
function slotOf(json: ResourceJson): string {
  return `${String(json.urn)} ${String(json.id ?? "")}`;
}

function isEmpty(value: Json | undefined): boolean {
  if (value === undefined || value === null || value === false || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

/** The URNs that must exist before this resource and may only go after it: dependencies, parent, provider, deletedWith. */
export function urnsBefore(state: ResourceState): Set<string> {
  return new Set([
    ...state.dependencies,
    ...Object.values(state.propertyDependencies).flat(),
    ...(state.parent ? [state.parent] : []),
    ...(state.provider ? [state.provider.slice(0, state.provider.lastIndexOf("::"))] : []),
    ...(state.deletedWith ? [state.deletedWith] : []),
  ]);
}
