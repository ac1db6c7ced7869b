import { isDeepStrictEqual } from "node:util";
import { unknown } from "../../resource-provider.ts";
import type { ResourceState } from "../state/resource-state.ts";
import type { Goal, ReadGoal } from "../steps/goal.ts";
import { stackType } from "../urn.ts";
import { containsUnknown, entry, mapValues, type ValueMap } from "../values/value.ts";
import { bring, claimFor } from "./bring.ts";
import { assertRunning, type Context } from "./context.ts";
import { unsupported } from "./engine-built.ts";
import { InvalidRequest, Stopped } from "./failures.ts";
import { type Invocation, type InvokeAnswer, invoke, readResource } from "./read-and-invoke.ts";

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
    const claim = claimFor(context, goal);
    for (const dependency of goal.dependencies) context.claims.mustHave(dependency, `${claim.urn} depends on`);
    return this.#guarded(claim.urn, () => bring(context, claim, goal));
  }

  async read(goal: ReadGoal): Promise<ResourceState> {
    assertRunning(this.#context);
    const claim = claimFor(this.#context, { ...goal, aliases: [] });
    return this.#guarded(claim.urn, () => readResource(this.#context, claim, goal));
  }

  /** True for a resource that is new and, not being among the targets, not made. */
  isSkipped(urn: string): boolean {
    return this.#context.targeting.isSkipped(urn);
  }

  /** Asks a function; what it throws is the program's to handle. */
  async invoke(invocation: Invocation): Promise<InvokeAnswer> {
    assertRunning(this.#context);
    this.#context.reporter.redactor.learn(invocation.args);
    try {
      return await invoke(this.#context, invocation);
    } catch (error) {
      if (error instanceof Stopped || error instanceof InvalidRequest) throw error;
      throw new Error(this.#context.failures.invoke(invocation.token, error));
    }
  }

  /** Takes the outputs of a component; the stack's are kept for {@link applyStackOutputs}. */
  async registerOutputs(urn: string, outputs: ValueMap): Promise<void> {
    const { snapshot, reporter } = this.#context;
    if (this.isSkipped(urn)) return;
    const state = snapshot.current(urn);
    if (state === undefined) throw new InvalidRequest(`outputs of ${urn}, which is not registered`);
    if (snapshot.isKept(state)) return;
    reporter.redactor.learn(outputs);
    if (state.type === stackType) {
      this.#stackOutputs = { urn, outputs };
      return;
    }
    const changed = !isDeepStrictEqual(state.outputs, outputs);
    state.outputs = outputs;
    reporter.outputs(state);
    if (changed) await snapshot.save();
  }

  /** Sets the stack's outputs; after a failure, what was not registered keeps its old value, and what is not known does always. Returns them. */
  applyStackOutputs(succeeded: boolean): ValueMap {
    if (this.#stackOutputs === undefined) return {};
    const { preview, snapshot } = this.#context;
    const state = snapshot.current(this.#stackOutputs.urn);
    if (state === undefined) return {};
    const { outputs } = this.#stackOutputs;
    const old = state.outputs;
    const known = Object.entries(outputs).filter(([, value]) => !containsUnknown(value));
    if (!succeeded) state.outputs = { ...old, ...Object.fromEntries(known) };
    else if (preview) state.outputs = outputs;
    else {
      const kept = mapValues(outputs, (value, key) => (containsUnknown(value) ? (entry(old, key) ?? unknown) : value));
      state.outputs = Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== unknown));
    }
    if (!this.#context.failures.any) this.#context.reporter.outputs(state);
    return state.outputs;
  }

  /** Fails the operation for a part of Pulumi that this engine has not. */
  refuse(feature: string): never {
    this.#context.failures.step("", unsupported(feature));
    throw new Stopped(feature);
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
}
