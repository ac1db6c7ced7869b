import { isDefaultProvider, stackType } from "../../engine/embedded/urn.ts";
import { signatureKey, signatures } from "../../engine/embedded/values/wire.ts";
import {
  type EngineEvent,
  isHalfOfReplacement,
  type MaskedJson,
  type StateMetadata,
  type StepMetadata,
  type StepOperation,
} from "../../engine/events.ts";

/** One step of a preview, as the official `preview --json` has it. */
interface PreviewStep {
  op: StepOperation;
  urn: string;
  provider?: string;
  oldState?: Record<string, unknown>;
  newState?: Record<string, unknown>;
  diffReasons?: string[];
  replaceReasons?: string[];
  detailedDiff: Record<string, { kind: string; inputDiff: boolean }> | null;
}

/** A preview as the official `preview --json` has it (pulumi/pulumi, pkg/display/json.go). */
export interface PreviewDigest {
  config: Record<string, string>;
  steps: PreviewStep[];
  diagnostics: { urn?: string; message: string; severity: string }[];
  /** Nanoseconds. */
  duration: number;
  changeSummary: Partial<Record<StepOperation, number>>;
}

/** Gathers a preview's events. */
export class PreviewJson {
  readonly digest: PreviewDigest = { config: {}, steps: [], diagnostics: [], duration: 0, changeSummary: {} };
  readonly #startedAt = performance.now();

  take({ preludeEvent, diagnosticEvent, resourcePreEvent, summaryEvent }: EngineEvent): void {
    const { digest } = this;
    if (preludeEvent !== undefined) digest.config = preludeEvent.config;
    if (diagnosticEvent !== undefined && diagnosticEvent.severity !== "debug") {
      const { urn, prefix = "", message, severity } = diagnosticEvent;
      digest.diagnostics.push({ ...(urn === undefined ? {} : { urn }), message: `${prefix}${message}`, severity });
    }
    if (resourcePreEvent !== undefined && isShown(resourcePreEvent.metadata)) {
      digest.steps.push(stepOf(resourcePreEvent.metadata));
    }
    if (summaryEvent !== undefined) {
      digest.changeSummary = summaryEvent.resourceChanges;
      digest.duration = Math.round((performance.now() - this.#startedAt) * 1e6);
    }
  }
}

/** What the official CLI has in its previews: the stack always, no halves of replacements. */
function isShown({ op, urn, type }: StepMetadata): boolean {
  return type === stackType || !(op === "same" || isHalfOfReplacement(op) || isDefaultProvider(urn));
}

function stepOf({ op, urn, provider, old, new: now, diffs, keys, detailedDiff }: StepMetadata): PreviewStep {
  const differences = Object.entries(detailedDiff ?? {});
  return {
    op,
    urn,
    ...(provider === "" ? {} : { provider }),
    ...(old === null ? {} : { oldState: stateOf(old) }),
    ...(now === null ? {} : { newState: stateOf(now) }),
    ...(diffs === undefined ? {} : { diffReasons: diffs }),
    ...(keys === undefined ? {} : { replaceReasons: keys }),
    detailedDiff:
      detailedDiff === null
        ? null
        : Object.fromEntries(
            differences.map(([path, { diffKind, inputDiff }]) => [path, { kind: diffKind, inputDiff }]),
          ),
  };
}

/** In the order of a checkpoint, without what is empty. Events do not tell dependencies and times. */
function stateOf(state: StateMetadata): Record<string, unknown> {
  const filled = (map: Record<string, MaskedJson>) => Object.keys(map).length > 0;
  return {
    urn: state.urn,
    custom: state.custom === true,
    ...(state.delete ? { delete: true } : {}),
    ...(state.id === "" ? {} : { id: state.id }),
    type: state.type,
    ...(filled(state.inputs) ? { inputs: withPlainMasks(state.inputs) } : {}),
    ...(filled(state.outputs) ? { outputs: withPlainMasks(state.outputs) } : {}),
    ...(state.parent === "" ? {} : { parent: state.parent }),
    ...(state.protect ? { protect: true } : {}),
    ...(state.external ? { external: true } : {}),
    ...(state.provider === "" ? {} : { provider: state.provider }),
    ...(state.retainOnDelete ? { retainOnDelete: true } : {}),
    ...(state.initErrors === undefined ? {} : { initErrors: state.initErrors }),
  };
}

/** Events wrap a masked secret as a state wraps it; here it is the mask alone. */
function withPlainMasks(value: MaskedJson): MaskedJson {
  if (Array.isArray(value)) return value.map(withPlainMasks);
  if (value === null || typeof value !== "object") return value;
  if (value[signatureKey] === signatures.secret) return value.ciphertext ?? null;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withPlainMasks(item)]));
}
