import type { CheckFailure } from "../../resource-provider.ts";
import type { UsableProvider } from "../providers/provider-registry.ts";
import type { ResourceState } from "../state/resource-state.ts";
import type { ReadGoal } from "../steps/goal.ts";
import { packageOf } from "../urn.ts";
import { containsUnknown, type ValueMap } from "../values/value.ts";
import { isUnknownSentinel } from "../values/wire.ts";
import type { Claim } from "./claims.ts";
import { assertRunning, type Context, identityOf } from "./context.ts";
import { enginePackage, stackReferenceType, unsupported } from "./engine-built.ts";
import { InvalidRequest } from "./failures.ts";
import { outputsOf } from "./new-state.ts";

/** Reads a resource that the program names by id and does not own. It stands in the state as external. */
export async function readResource(
  context: Context,
  { urn, formerUrn }: Claim,
  goal: ReadGoal,
): Promise<ResourceState> {
  if (packageOf(goal.type) === enginePackage && goal.type !== stackReferenceType) throw unsupported(goal.type);
  const request = { name: packageOf(goal.type), version: goal.version, pluginDownloadUrl: goal.pluginDownloadUrl };
  const usable = await context.registry.forRequest(goal.type, request, goal.provider);
  const old = context.snapshot.old(formerUrn);
  const state = stateOfRead(urn, goal, usable);
  if (!context.preview && isUnknownSentinel(goal.id)) {
    context.targeting.skip(urn); // its id is of what is not among the targets
    return state;
  }
  // What was ours so far, and another object: that one is to go.
  const retires = old !== undefined && !old.external && old.id !== goal.id ? old : undefined;
  await context.limit.run(() => {
    assertRunning(context);
    return context.reporter.step(retires ? "read-replacement" : "read", state, {}, async () => {
      // In a preview the id may be one that is yet to come, or its provider may.
      if (!isUnknownSentinel(goal.id)) Object.assign(state, await found(context, state, goal, usable));
      context.reporter.redactor.learn(state.outputs);
      if (retires !== undefined) retires.delete = true;
      context.snapshot.put(state, retires ? undefined : old);
      if (retires !== undefined) context.snapshot.rename(retires.urn, urn);
      await context.snapshot.save();
    });
  });
  if (retires !== undefined) {
    context.replacements.done.add(urn);
    await context.reporter.step("replace", state, {}, async () => undefined);
  }
  return state;
}

function stateOfRead(urn: string, goal: ReadGoal, usable: UsableProvider): ResourceState {
  return {
    urn,
    type: goal.type,
    custom: true,
    external: true,
    id: goal.id,
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
}

/** The object as its provider has it. */
async function found(
  context: Context,
  state: ResourceState,
  goal: ReadGoal,
  usable: UsableProvider,
): Promise<Pick<ResourceState, "id" | "outputs"> | undefined> {
  if (usable.provider === undefined) return undefined;
  const { inputs } = goal;
  const answer = await usable.provider.read(identityOf(state), goal.id, inputs, inputs, { signal: context.signal });
  if (answer.id === "") throw new Error(`resource '${goal.id}' does not exist`);
  return { id: answer.id, outputs: outputsOf(answer.outputs, state, usable) };
}

/** A function that the program asks. */
export interface Invocation {
  token: string;
  args: ValueMap;
  /** `<urn>::<id>`, or empty for the package's default provider. */
  provider: string;
  version: string;
  pluginDownloadUrl: string;
}

/** An invocation's answer; `unknown` while what it needs is not known (previews, and what is not among the targets). */
export type InvokeAnswer = { result: ValueMap; failures: CheckFailure[] } | "unknown";

/** Asks a provider's function, or one of the engine's own. */
export async function invoke(context: Context, invocation: Invocation): Promise<InvokeAnswer> {
  const { token, args, version, pluginDownloadUrl } = invocation;
  if (containsUnknown(args)) return "unknown";
  if (token === "pulumi:pulumi:getResource") return { result: knownResource(context, String(args.urn)), failures: [] };
  const name = packageOf(token);
  const request = { name, version, pluginDownloadUrl };
  const usable = await context.registry.forRequest(token, request, invocation.provider);
  if (usable.provider === undefined) return "unknown";
  return usable.provider.invoke(token, args);
}

function knownResource(context: Context, urn: string): ValueMap {
  const state = context.snapshot.current(urn);
  if (state === undefined) throw new InvalidRequest(`there is no resource ${urn}`);
  return { urn, id: state.id ?? "", provider: state.provider ?? "", state: state.outputs };
}
