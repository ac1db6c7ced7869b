import { isDeepStrictEqual } from "node:util";
import type { ResourceState } from "../state/resource-state.ts";
import type { AliasSpec, Goal, ReadGoal } from "../steps/goal.ts";
import { isProviderType, makeUrn, packageOf, stackType } from "../urn.ts";
import { containsUnknown, entry, type ValueMap } from "../values/value.ts";
import { assertRunning, type Context } from "./context.ts";
import { registerComponent, registerProvider } from "./engine-kept.ts";
import { InvalidRequest, Stopped } from "./failures.ts";
import { type InvokeAnswer, invoke, readResource, unsupported } from "./read-and-invoke.ts";
import { registerCustom } from "./registration.ts";

/** Packages that live in the SDK or the engine and have no provider of their own here. */
const engineBuilt: Record<string, string> = {
  pulumi: "stack references and other resources of the engine itself",
  "pulumi-python": "dynamic providers of Python",
};

/** What a program may ask for while it runs. Every method throws {@link Stopped} once the operation is ending. */
export class Deployment {
  readonly #context: Context;
  /** Held back until the program has ended: a failed one may not have said all. */
  #stackOutputs: { urn: string; outputs: ValueMap } | undefined;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Brings a resource to what the program wants; resolves when its step is done. */
  async register(goal: Goal): Promise<ResourceState> {
    const context = this.#context;
    assertRunning(context);
    context.reporter.redactor.learn(goal.inputs);
    const urn = this.#claim(goal);
    for (const dependency of goal.dependencies) this.#mustBeRegistered(dependency, `${urn} depends on`);
    return this.#guarded(urn, async () => {
      this.#refuseAliases(urn, goal);
      if (!goal.custom) return registerComponent(context, urn, goal);
      if (isProviderType(goal.type)) return registerProvider(context, urn, goal);
      this.#refuseEngineBuilt(goal.type);
      return registerCustom(context, urn, goal);
    });
  }

  async read(goal: ReadGoal): Promise<ResourceState> {
    assertRunning(this.#context);
    const urn = this.#claim(goal);
    return this.#guarded(urn, async () => {
      this.#refuseEngineBuilt(goal.type);
      return readResource(this.#context, urn, goal);
    });
  }

  /** Asks a function; what it throws is the program's to handle. */
  async invoke(request: { token: string; args: ValueMap; provider: string; version: string }): Promise<InvokeAnswer> {
    assertRunning(this.#context);
    this.#context.reporter.redactor.learn(request.args);
    try {
      return await invoke(this.#context, request);
    } catch (error) {
      if (error instanceof Stopped || error instanceof InvalidRequest) throw error;
      throw new Error(this.#context.failures.invoke(request.token, error));
    }
  }

  /** Takes the outputs of a component; the stack's are kept for {@link applyStackOutputs}. */
  async registerOutputs(urn: string, outputs: ValueMap): Promise<void> {
    const state = this.#context.snapshot.current(urn);
    if (state === undefined) throw new InvalidRequest(`outputs of ${urn}, which is not registered`);
    this.#context.reporter.redactor.learn(outputs);
    if (state.type === stackType) {
      this.#stackOutputs = { urn, outputs };
      return;
    }
    const changed = !isDeepStrictEqual(state.outputs, outputs);
    state.outputs = outputs;
    this.#context.reporter.outputs(state);
    if (changed) await this.#context.snapshot.save();
  }

  /** Sets the stack's outputs; after a failure what was not registered keeps its old value. Returns them. */
  applyStackOutputs(succeeded: boolean): ValueMap {
    if (this.#stackOutputs === undefined) return {};
    const state = this.#context.snapshot.current(this.#stackOutputs.urn);
    if (state === undefined) return {};
    const { outputs } = this.#stackOutputs;
    const known = Object.fromEntries(Object.entries(outputs).filter(([, value]) => !containsUnknown(value)));
    state.outputs = succeeded ? outputs : { ...state.outputs, ...known };
    if (!this.#context.failures.any) this.#context.reporter.outputs(state);
    return state.outputs;
  }

  /** Fails the operation for a part of Pulumi that this engine has not. */
  refuse(feature: string): never {
    this.#context.failures.step("", unsupported(feature));
    throw new Stopped(feature);
  }

  /** A URN that is new to this run, of a parent that is not. */
  #claim(goal: { parent: string; type: string; name: string }): string {
    const { stack, project, registered } = this.#context;
    if (goal.parent !== "") this.#mustBeRegistered(goal.parent, `${goal.name} has the parent`);
    const urn = makeUrn(stack, project, goal.parent, goal.type, goal.name);
    if (registered.has(urn))
      throw new InvalidRequest(`the program registers ${urn} twice: names must differ within a type`);
    registered.add(urn);
    return urn;
  }

  #mustBeRegistered(urn: string, what: string): void {
    if (!this.#context.registered.has(urn)) throw new InvalidRequest(`${what} ${urn}, which is not registered`);
  }

  /** What fails here ends the operation: the program is told to stop. */
  async #guarded<T>(urn: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof Stopped || error instanceof InvalidRequest) throw error;
      throw new Stopped(this.#context.failures.step(urn, error));
    }
  }

  #refuseEngineBuilt(type: string): void {
    const built = entry(engineBuilt, packageOf(type));
    if (built !== undefined) throw unsupported(`${built} (${type})`);
  }

  /** An alias matters only where the state has a resource of that name and none of the new one. */
  #refuseAliases(urn: string, goal: Goal): void {
    const { snapshot } = this.#context;
    if (snapshot.old(urn) !== undefined) return;
    const hit = goal.aliases
      .map((alias) => this.#aliasUrn(goal, alias))
      .find((alias) => snapshot.old(alias) !== undefined);
    if (hit !== undefined) throw unsupported(`aliases: ${urn} was ${hit}`);
  }

  #aliasUrn(goal: Goal, alias: AliasSpec): string {
    if ("urn" in alias) return alias.urn;
    const { stack, project } = this.#context;
    const parent = alias.noParent ? "" : alias.parentUrn || goal.parent;
    return makeUrn(
      alias.stack || stack,
      alias.project || project,
      parent,
      alias.type || goal.type,
      alias.name || goal.name,
    );
  }
}
