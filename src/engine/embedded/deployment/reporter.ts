import type { EngineEvent, MessageEvent, StepEvent, StepOperation } from "../../engine.ts";
import type { DiffResult } from "../../resource-provider.ts";
import type { Redactor } from "../secrets/redactor.ts";
import type { ResourceState } from "../state/resource-state.ts";
import { isProviderType, nameOf } from "../urn.ts";
import { parsePath, valueAt } from "../values/paths.ts";
import type { ValueMap } from "../values/value.ts";

/** What is shown of a step besides its resource. */
interface StepFacts {
  diff?: StepEvent["diff"];
  replaceReasons?: string[];
}

/** Halves of a replacement, which is counted once. */
const uncounted = new Set<StepOperation>(["create-replacement", "delete-replaced", "read-replacement"]);

/** Tells the caller what happens, with secrets masked, and counts it. Default providers are the engine's own business. */
export class Reporter {
  readonly changes: Partial<Record<StepOperation, number>> = {};
  readonly redactor: Redactor;
  readonly #onEvent: (event: EngineEvent) => void;

  constructor(redactor: Redactor, onEvent: (event: EngineEvent) => void = () => undefined) {
    this.redactor = redactor;
    this.#onEvent = onEvent;
  }

  message(severity: MessageEvent["severity"], text: string, urn = ""): void {
    const message = this.redactor.clean(text);
    this.#onEvent({ kind: "message", severity, message, ...(urn === "" ? {} : { urn }) });
  }

  /** Announces a step, runs it, and says how it ended. */
  async step<T>(
    operation: StepOperation,
    state: ResourceState,
    facts: StepFacts,
    action: () => Promise<T>,
  ): Promise<T> {
    const startedAt = performance.now();
    if (operation !== "same") this.#emit("start", operation, state, facts);
    try {
      const result = await action();
      this.#count(operation, state);
      this.#emit("done", operation, state, { ...facts, durationMs: performance.now() - startedAt });
      return result;
    } catch (error) {
      const message = this.redactor.clean(error instanceof Error ? error.message : String(error));
      this.#emit("failed", operation, state, { ...facts, message, durationMs: performance.now() - startedAt });
      throw error;
    }
  }

  #count(operation: StepOperation, state: ResourceState): void {
    if (isProviderType(state.type) || uncounted.has(operation)) return;
    this.changes[operation] = (this.changes[operation] ?? 0) + 1;
  }

  #emit(
    phase: StepEvent["phase"],
    operation: StepOperation,
    state: ResourceState,
    facts: StepFacts & { message?: string; durationMs?: number },
  ): void {
    const name = nameOf(state.urn);
    if (isProviderType(state.type) && state.parent === undefined) return;
    this.#onEvent({ kind: "step", phase, operation, urn: state.urn, type: state.type, name, ...facts });
  }

  /** A difference for people: old and new values as JSON text, secrets masked. */
  describe(diff: DiffResult, old: ResourceState, news: ValueMap): NonNullable<StepEvent["diff"]> {
    return Object.entries(diff.detailedDiff).map(([path, { kind, inputDiff }]) => {
      const parts = parsePath(path);
      const before = valueAt(inputDiff ? old.inputs : old.outputs, parts) ?? valueAt(old.inputs, parts);
      const after = valueAt(news, parts);
      return {
        path,
        kind,
        ...(before === undefined ? {} : { before: this.redactor.show(before) }),
        ...(after === undefined ? {} : { after: this.redactor.show(after) }),
      };
    });
  }
}
