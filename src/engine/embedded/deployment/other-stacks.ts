import type { ValueMap } from "../values/value.ts";

/** What stack references read: the stacks beside this one. Every method throws SlipwayError E_STACK_UNKNOWN. */
export interface OtherStacks {
  /** A stack's outputs. `elided` where a secret could not be opened: it is an empty one then. */
  outputs(name: string): Promise<{ outputs: ValueMap; elided: boolean }>;
  /** Every resource of a stack, by URN: its type and outputs. */
  resources(name: string): Promise<ValueMap>;
}
