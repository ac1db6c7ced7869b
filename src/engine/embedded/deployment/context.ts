import type { ResourceIdentity } from "../../resource-provider.ts";
import type { ProviderRegistry } from "../providers/provider-registry.ts";
import type { Snapshot } from "../state/snapshot.ts";
import type { Limit } from "../steps/limit.ts";
import { nameOf } from "../urn.ts";
import type { Claims } from "./claims.ts";
import { type Failures, Stopped } from "./failures.ts";
import type { Replacements } from "./replacements.ts";
import type { Reporter } from "./reporter.ts";
import type { Targeting } from "./targeting.ts";

/** What the parts of one operation share. */
export interface Context {
  /** Nothing is made, changed or saved. */
  readonly preview: boolean;
  readonly stack: string;
  readonly project: string;
  readonly snapshot: Snapshot;
  readonly registry: ProviderRegistry;
  readonly failures: Failures;
  readonly reporter: Reporter;
  /** How many provider calls that change something run at a time. */
  readonly limit: Limit;
  readonly signal: AbortSignal;
  /** What the program has registered or read in this run. */
  readonly claims: Claims;
  /** What the operation is about. */
  readonly targeting: Targeting;
  /** What is replaced, and who waits for that. */
  readonly replacements: Replacements;
}

/** Throws {@link Stopped} where no new step may start: after a failure, or when the user has interrupted. */
export function assertRunning(context: Context): void {
  if (context.failures.any || context.signal.aborted) throw new Stopped("the operation is ending");
}

/** What a provider is told about a resource. */
export function identityOf(state: { urn: string; type: string }): ResourceIdentity {
  return { urn: state.urn, type: state.type, name: nameOf(state.urn) };
}

/** The moment of a change, as the state has it. */
export function now(): string {
  return new Date().toISOString();
}
