import { SlipwayError } from "../../../common/errors.ts";
import type { CheckFailure } from "../../resource-provider.ts";
import type { ResourceState } from "../state/resource-state.ts";
import type { ReadGoal } from "../steps/goal.ts";
import { packageOf } from "../urn.ts";
import type { ValueMap } from "../values/value.ts";
import { isUnknownSentinel } from "../values/wire.ts";
import { assertRunning, type Context, identityOf } from "./context.ts";
import { InvalidRequest } from "./failures.ts";
import { outputsOf } from "./new-state.ts";

/** Reads a resource that the program names by id and does not own. It stands in the state as external. */
export async function readResource(context: Context, urn: string, goal: ReadGoal): Promise<ResourceState> {
  const usable = await context.registry.forPackage(packageOf(goal.type), goal.version, goal.provider);
  const old = context.snapshot.old(urn);
  const state: ResourceState = {
    urn,
    type: goal.type,
    custom: true,
    external: true,
    inputs: goal.inputs,
    outputs: {},
    dependencies: goal.dependencies,
    propertyDependencies: {},
    additionalSecretOutputs: goal.additionalSecretOutputs,
    initErrors: [],
    ignoreChanges: [],
    replaceOnChanges: [],
    provider: usable.reference,
    rest: {},
    ...(goal.parent === "" ? {} : { parent: goal.parent }),
  };
  const { provider } = usable;
  await context.limit.run(() => {
    assertRunning(context);
    return context.reporter.step("read", state, {}, async () => {
      // In a preview the id may be one that is yet to come, or its provider may.
      if (provider !== undefined && !isUnknownSentinel(goal.id)) {
        const { inputs } = goal;
        const found = await provider.read(identityOf(state), goal.id, inputs, inputs, { signal: context.signal });
        if (found.id === "") throw new Error(`resource '${goal.id}' does not exist`);
        state.id = found.id;
        state.outputs = outputsOf(found.outputs, state, usable);
      }
      const owned = old !== undefined && !old.external && old.id !== state.id;
      if (owned) old.delete = true;
      context.snapshot.put(state, owned ? undefined : old);
      await context.snapshot.save();
    });
  });
  return state;
}

/** An invocation's answer; `unknown` while the provider's configuration is not known (previews). */
export type InvokeAnswer = { result: ValueMap; failures: CheckFailure[] } | "unknown";

/** Asks a provider's function, or one of the engine's own. */
export async function invoke(
  context: Context,
  { token, args, provider, version }: { token: string; args: ValueMap; provider: string; version: string },
): Promise<InvokeAnswer> {
  if (token === "pulumi:pulumi:getResource") return { result: knownResource(context, String(args.urn)), failures: [] };
  const packageName = packageOf(token);
  if (packageName === "pulumi") throw unsupported(`the function ${token}`);
  const usable = await context.registry.forPackage(packageName, version, provider);
  if (usable.provider === undefined) return "unknown";
  return usable.provider.invoke(token, args);
}

function knownResource(context: Context, urn: string): ValueMap {
  const state = context.snapshot.current(urn);
  if (state === undefined) throw new InvalidRequest(`there is no resource ${urn}`);
  return { urn, id: state.id ?? "", provider: state.provider ?? "", state: state.outputs };
}

/** The error for a part of Pulumi that belongs to the official engine. */
export function unsupported(feature: string): SlipwayError {
  return new SlipwayError("E_UNSUPPORTED", `the embedded engine does not do ${feature}`, {
    hint: "Do without it, or run the stack with the official engine (pulumi on PATH); program and state stay as they are.",
  });
}
