import type { ResourceState } from "../state/resource-state.ts";

/** Which resources are replaced in this run, and which registrations wait for which deletions. */
export interface Replacements {
  /** URNs that are replaced in this run. */
  readonly done: Set<string>;
  /** Replacements under way that delete a URN first: its own registration waits for them. */
  readonly beingDeleted: Map<string, Promise<void>>;
  /** Resources whose registrations wait for them to be deleted before their successors are made. */
  readonly awaitingDeletion: Set<ResourceState>;
  /** Registrations, by the URN that the state has for them, that are neither done nor waiting for a deletion. */
  readonly undecided: Map<string, PromiseWithResolvers<void>>;
  /** Resolves when no cascade is under way. One at a time: two could claim the same dependents. */
  cascades: Promise<void>;
}

/** At the beginning of an operation. */
export function noReplacements(): Replacements {
  return {
    done: new Set(),
    beingDeleted: new Map(),
    awaitingDeletion: new Set(),
    undecided: new Map(),
    cascades: Promise.resolve(),
  };
}
