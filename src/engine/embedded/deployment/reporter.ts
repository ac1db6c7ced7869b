import { messageOf } from "../../../common/errors.ts";
import type { EngineEvent, Severity, StepNotice, StepOperation, SummaryEvent } from "../../events.ts";
import { type DiffResult, InitializationFailed } from "../../resource-provider.ts";
import type { Configuration } from "../project/configuration.ts";
import { mask, type Redactor } from "../secrets/redactor.ts";
import type { ResourceState } from "../state/resource-state.ts";
import { isDefaultProvider } from "../urn.ts";
import { Stopped } from "./failures.ts";
import { isLogical, type StepFacts, stepMetadata } from "./step-metadata.ts";

/** What of an event is the operation's own; number and time are added. */
type Payload = Omit<EngineEvent, "sequence" | "timestamp">;

/** A component's registration, whose end is told with its outputs. */
interface Registered {
  operation: StepOperation;
  facts: StepFacts;
}

/** What a refresh found of a resource, and how it is now; undefined where it is gone. */
export interface Refreshed {
  operation: "same" | "update" | "delete";
  state: ResourceState | undefined;
  diff?: DiffResult;
}

/** Tells the caller what happens, with secrets masked, and counts it. */
export class Reporter {
  readonly changes: Partial<Record<StepOperation, number>> = {};
  readonly redactor: Redactor;
  readonly #onEvent: ((event: EngineEvent) => void) | undefined;
  readonly isPreview: boolean;
  readonly #startedAt = performance.now();
  readonly #components = new Map<string, Registered>();
  /** Failures that an event has told. */
  readonly #told = new WeakSet<object>();
  #sequence = 0;
  #steps = 0;

  constructor(redactor: Redactor, options: { onEvent?: ((event: EngineEvent) => void) | undefined; preview: boolean }) {
    this.redactor = redactor;
    this.#onEvent = options.onEvent;
    this.isPreview = options.preview;
  }

  /** Tells the configuration that the operation runs with. */
  configuration({ values, secretKeys }: Configuration): void {
    const shown = (key: string) => (secretKeys.includes(key) ? mask : this.redactor.clean(values[key] ?? ""));
    const keys = Object.keys(values).sort();
    this.#emit(() => ({ preludeEvent: { config: Object.fromEntries(keys.map((key) => [key, shown(key)])) } }));
  }

  message(severity: Severity, text: string, urn = ""): void {
    this.#emit(() => ({
      diagnosticEvent: {
        ...(urn === "" ? {} : { urn }),
        ...(severity.startsWith("info") ? {} : { prefix: `${severity}: ` }),
        message: `${this.redactor.clean(text)}\n`,
        color: "never",
        severity,
      },
    }));
  }

  /** Tells a failure, unless its step has. */
  failure(error: unknown, urn: string): void {
    if (error instanceof Stopped || (error instanceof Object && this.#told.has(error))) return;
    if (error instanceof Object) this.#told.add(error);
    this.message("error", messageOf(error), urn);
  }

  /** Announces a step, runs it, and says how it ended. */
  async step<T>(
    operation: StepOperation,
    state: ResourceState,
    facts: StepFacts,
    action: () => Promise<T>,
  ): Promise<T> {
    const notice = (before: boolean) => this.#notice(operation, state, facts, before);
    this.#emit(() => ({ resourcePreEvent: notice(true) }));
    try {
      const result = await action();
      this.#count(operation, state);
      // A component's outputs are yet to come; until then a display shows it as being worked on.
      const hasEnded = state.custom || operation.startsWith("delete") || this.isPreview;
      if (!state.custom) this.#components.set(state.urn, { operation, facts });
      if (hasEnded) this.#emit(() => ({ resOutputsEvent: notice(false) }));
      return result;
    } catch (error) {
      this.failure(error, state.urn);
      const status = error instanceof InitializationFailed ? 1 : 0;
      if (!(error instanceof Stopped))
        this.#emit(() => ({ resOpFailedEvent: { metadata: notice(false).metadata, status, steps: this.#steps } }));
      throw error;
    }
  }

  /** Tells the outputs that a component has registered. */
  outputs(state: ResourceState): void {
    const { operation, facts } = this.#components.get(state.urn) ?? { operation: "same", facts: {} };
    this.#emit(() => ({ resOutputsEvent: this.#notice(operation, state, facts, false) }));
  }

  /** Tells how the operation ended; nothing comes after it. */
  end(result: SummaryEvent["result"]): void {
    this.#emit(() => ({
      summaryEvent: {
        maybeCorrupt: false,
        durationSeconds: Math.ceil((performance.now() - this.#startedAt) / 1000),
        resourceChanges: { ...this.changes },
        PolicyPacks: {},
        isPreview: this.isPreview,
        result,
      },
    }));
    this.#emit(() => ({ cancelEvent: {} }));
  }

  #notice(operation: StepOperation, state: ResourceState, facts: StepFacts, before: boolean): StepNotice {
    const metadata = stepMetadata(this.redactor, operation, state, facts, before);
    return this.isPreview ? { metadata, planning: true } : { metadata };
  }

  /** Announces a look at a resource, runs it, and tells what was found; counted where a refresh is all that is done. */
  async refresh(
    old: ResourceState,
    counts: boolean,
    action: () => Promise<Refreshed>,
  ): Promise<ResourceState | undefined> {
    this.#emit(() => ({ resourcePreEvent: this.#notice("refresh", old, {}, true) }));
    try {
      const { operation, state, diff } = await action();
      if (!isDefaultProvider(old.urn)) {
        this.#steps += 1;
        if (counts) this.changes[operation] = (this.changes[operation] ?? 0) + 1;
      }
      this.#emit(() => {
        const { metadata, ...notice } = this.#notice("refresh", state ?? old, { old, diff }, false);
        const now = state === undefined ? { new: null } : {};
        return { resOutputsEvent: { metadata: { ...metadata, op: operation, ...now }, ...notice } };
      });
      return state;
    } catch (error) {
      this.failure(error, old.urn);
      if (!(error instanceof Stopped)) {
        const { metadata } = this.#notice("refresh", old, {}, false);
        this.#emit(() => ({ resOpFailedEvent: { metadata, status: 0, steps: this.#steps } }));
      }
      throw error;
    }
  }

  #count(operation: StepOperation, state: ResourceState): void {
    if (isDefaultProvider(state.urn)) return;
    this.#steps += 1;
    if (isLogical(operation)) this.changes[operation] = (this.changes[operation] ?? 0) + 1;
  }

  #emit(payload: () => Payload): void {
    if (this.#onEvent === undefined) return;
    const timestamp = Math.floor(Date.now() / 1000);
    this.#onEvent({ sequence: this.#sequence++, timestamp, ...payload() });
  }
}
