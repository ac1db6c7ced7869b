import type { SecretCodec } from "../values/state-json.ts";
import { type ResourceState, resourceToJson } from "./resource-state.ts";

/** A resource's text, and its fields when it was made. */
interface Made {
  fields: ResourceState;
  text: string;
}

/**
 * The JSON texts of resources as the checkpoint has them, each made again only where a field of the resource has another value since: a
 * save comes after each step, and most resources are as they were. Values are never changed in place, so equal fields are the same text.
 */
export class ResourceTexts {
  readonly #codec: SecretCodec;
  readonly #made = new WeakMap<ResourceState, Made>();

  constructor(codec: SecretCodec) {
    this.#codec = codec;
  }

  of(state: ResourceState): string {
    const known = this.#made.get(state);
    if (known !== undefined && haveSameFields(known.fields, state)) return known.text;
    const text = JSON.stringify(resourceToJson(state, this.#codec));
    this.#made.set(state, { fields: { ...state }, text });
    return text;
  }
}

function haveSameFields(a: ResourceState, b: ResourceState): boolean {
  const keys = Object.keys(b) as (keyof ResourceState)[];
  return keys.length === Object.keys(a).length && keys.every((key) => a[key] === b[key]);
}
