import { gateSchema, type Origin } from "../guest/release-terms.ts";
import type { Terms } from "../release/manifest-counters.ts";
import { originOf } from "../release/release-origin.ts";
import type { LocalStack } from "./workspace.ts";

/** What a manifest says of who publishes it, and the thresholds that its hosts judge it by: the configured ones, but for the watch where that is given. */
export function termsOf({ config }: LocalStack, kind: Origin["kind"], watchSeconds?: number): Terms {
  const over = watchSeconds === undefined ? {} : { watchSeconds };
  return { origin: originOf(kind), gate: gateSchema.parse({ ...config.gate, ...over }) };
}
