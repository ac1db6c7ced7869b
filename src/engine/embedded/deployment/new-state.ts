import type { UsableProvider } from "../providers/provider-registry.ts";
import type { ResourceState } from "../state/resource-state.ts";
import type { Goal } from "../steps/goal.ts";
import { withRepeated, withSecretKeys, withSecretsOf } from "../values/provider-values.ts";
import type { ValueMap } from "../values/value.ts";

/** The state that a registration asks for; what `old` alone knows (id, outputs, times) is carried over. */
export function stateOf(
  urn: string,
  goal: Goal,
  inputs: ValueMap,
  provider: string,
  old?: ResourceState,
): ResourceState {
  const { sourcePosition: _, stackTrace: __, ...rest } = old?.rest ?? {};
  return {
    urn,
    type: goal.type,
    custom: goal.custom,
    inputs,
    outputs: old?.outputs ?? {},
    dependencies: goal.dependencies,
    propertyDependencies: goal.propertyDependencies,
    additionalSecretOutputs: goal.additionalSecretOutputs,
    initErrors: [],
    ignoreChanges: goal.ignoreChanges,
    replaceOnChanges: goal.replaceOnChanges,
    rest: { ...rest, ...(goal.positions as ResourceState["rest"]) },
    ...(old?.id === undefined ? {} : { id: old.id }),
    ...(old?.created === undefined ? {} : { created: old.created }),
    ...(old?.modified === undefined ? {} : { modified: old.modified }),
    ...(goal.parent === "" ? {} : { parent: goal.parent }),
    ...(provider === "" ? {} : { provider }),
    ...(goal.protect ? { protect: true } : {}),
    ...(goal.retainOnDelete ? { retainOnDelete: true } : {}),
    ...(goal.importId === "" ? {} : { importID: goal.importId }),
    ...(goal.replacementTrigger === undefined ? {} : { replacementTrigger: goal.replacementTrigger }),
    ...(goal.deletedWith === "" ? {} : { deletedWith: goal.deletedWith }),
    ...(Object.keys(goal.customTimeouts).length === 0 ? {} : { customTimeouts: goal.customTimeouts }),
  };
}

/** A provider's answer as outputs: secret where the input of that name or one that it repeats is, and where program or provider say so. */
export function outputsOf(answer: ValueMap, state: ResourceState, usable: UsableProvider): ValueMap {
  const named = [...state.additionalSecretOutputs, ...(usable.provider?.secretOutputs(state.type) ?? [])];
  const repeated = usable.provider?.repeatedInputs?.(state.type) ?? {};
  return withSecretKeys(withSecretsOf(answer, withRepeated(state.inputs, repeated)), named);
}
