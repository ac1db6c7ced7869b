import type { ResourceState } from "../../../src/engine/embedded/state/resource-state.ts";

/** A resource of the state that is nothing but what a test says of it. */
export function resourceState(urn: string, more: Partial<ResourceState> = {}): ResourceState {
  return {
    urn,
    type: "t",
    custom: true,
    inputs: {},
    outputs: {},
    dependencies: [],
    propertyDependencies: {},
    additionalSecretOutputs: [],
    initErrors: [],
    ignoreChanges: [],
    replaceOnChanges: [],
    rest: {},
    ...more,
  };
}
