import { isDeepStrictEqual } from "node:util";
import { isDefaultProvider, stackType } from "../../engine/embedded/urn.ts";
import {
  type EngineEvent,
  isHalfOfReplacement,
  type MaskedJson,
  type StepMetadata,
  type StepOperation,
} from "../../engine/events.ts";
import { isEnvelope, type PropertyChange, propertyChanges } from "./property-changes.ts";
import { isNotKnown } from "./shown-value.ts";

/** A change that an operation would make to one resource. */
export interface PlannedChange {
  operation: StepOperation;
  urn: string;
  type: string;
  /** The properties that demand the replacement. */
  reasons: readonly string[];
  properties: readonly PlannedProperty[];
  /** A replacement that deletes the old resource before it makes the new one. */
  oldGoesFirst: boolean;
}

/** A property of a planned change. */
export interface PlannedProperty extends PropertyChange {
  /** URN of the replaced resource whose successor it will be taken from. */
  follows: string | undefined;
}

/** A stack output that would change; secrets are envelopes, what is not known yet is the sentinel. */
export interface OutputChange {
  name: string;
  before: MaskedJson | undefined;
  after: MaskedJson | undefined;
}

/** Gathers from a preview's events what would be done; of a refresh what it found. */
export class Plan {
  readonly #ofRefresh: boolean;
  /** URNs that are being looked at: what ends such a step is what was found. */
  readonly #lookedAt = new Set<string>();
  readonly #steps: StepMetadata[] = [];
  readonly #deleted = new Set<string>();
  readonly #oldGoesFirst = new Set<string>();
  #stack: StepMetadata | undefined;

  constructor({ ofRefresh = false }: { ofRefresh?: boolean } = {}) {
    this.#ofRefresh = ofRefresh;
  }

  take({ resourcePreEvent, resOutputsEvent }: EngineEvent): void {
    if (resourcePreEvent?.metadata.op === "refresh") this.#lookedAt.add(resourcePreEvent.metadata.urn);
    if (resOutputsEvent === undefined) return;
    const { metadata } = resOutputsEvent;
    const { op, urn, type } = metadata;
    if (this.#lookedAt.delete(urn) && !this.#ofRefresh) return;
    if (type === stackType && metadata.new !== null) this.#stack = metadata;
    if (op === "delete-replaced") this.#deleted.add(urn);
    if (op === "replace" && this.#deleted.has(urn)) this.#oldGoesFirst.add(urn);
    // A component's end comes twice; the stack itself is no resource.
    const known = this.#steps.some((step) => step.urn === urn && step.op === op);
    if (op !== "same" && !isHalfOfReplacement(op) && !isDefaultProvider(urn) && type !== stackType && !known)
      this.#steps.push(metadata);
  }

  /** In the order of the steps. */
  get changes(): PlannedChange[] {
    const replaced = this.#steps.filter(({ op }) => op === "replace");
    return this.#steps.map((step) => ({
      operation: step.op,
      urn: step.urn,
      type: step.type,
      reasons: step.keys ?? [],
      properties: propertyChanges(step).map((change) => ({ ...change, follows: followedBy(change, step, replaced) })),
      oldGoesFirst: this.#oldGoesFirst.has(step.urn),
    }));
  }

  /** By name. */
  get outputs(): OutputChange[] {
    const olds = this.#stack?.old?.outputs ?? {};
    const news = this.#stack?.new?.outputs ?? {};
    const names = [...new Set([...Object.keys(olds), ...Object.keys(news)])].sort();
    return names
      .map((name) => ({ name, before: olds[name], after: news[name] }))
      .filter(({ before, after }) => !isDeepStrictEqual(before, after));
  }
}

/** The replaced resource that a value not known yet will come from: the old one has the old value. */
function followedBy(
  { before, after }: PropertyChange,
  step: StepMetadata,
  replaced: readonly StepMetadata[],
): string | undefined {
  if (before === undefined || isEnvelope(before) || !isNotKnown(after)) return undefined;
  const had = ({ old }: StepMetadata) =>
    old !== null && (old.id === before || Object.values(old.outputs).includes(before));
  return replaced.find((other) => other.urn !== step.urn && had(other))?.urn;
}
