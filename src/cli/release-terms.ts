import { gateSchema, type Origin } from "../guest/release-terms.ts";
import type { Terms } from "../release/manifest-counters.ts";
import { originOf } from "../release/release-origin.ts";
import type { LocalStack } from "./workspace.ts";

/** Kinds of release that bring a model of which nobody has said that its clients are to ask something else. */
const ofAnyModel: readonly Origin["kind"][] = ["deploy", "canary", "shadow"];

/** What the command line says besides the stack's gate, or in its place. */
interface Over {
  watchSeconds?: number | undefined;
  allowNewInputs?: boolean;
  /** The stack that a model was promoted from. */
  from?: Origin["from"];
}

/** What a manifest says of who publishes it, and the thresholds that its hosts judge it by. */
export function termsOf({ config }: LocalStack, kind: Origin["kind"], over: Over = {}): Required<Terms> {
  const gate = gateSchema.parse(config.gate ?? {});
  const { watchSeconds = gate.watchSeconds, allowNewInputs = false, from } = over;
  const mayBeAskedAnew = allowNewInputs || gate.allowNewInputs || (from === undefined && !ofAnyModel.includes(kind));
  return { origin: originOf(kind, from), gate: { ...gate, watchSeconds, allowNewInputs: mayBeAskedAnew } };
}
