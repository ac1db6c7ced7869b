import { SlipwayError } from "../../../common/errors.ts";
import type { OperationOptions } from "../../engine.ts";
import { type ResourceState, urnsBefore } from "../state/resource-state.ts";
import { UrnPatterns } from "../steps/urn-patterns.ts";
import { isProviderType, stackType } from "../urn.ts";

/**
 * Which resources an operation is about (pulumi/pulumi, step_generator.go, isTargetedForUpdate, validateSteps): all, or those that
 * `--target` names. The others stay as they are, and what of them is new is not made.
 */
export class Targeting {
  readonly #targets: UrnPatterns;
  readonly #replaces: UrnPatterns;
  readonly #withDependents: boolean;
  readonly #included = new Set<string>();
  readonly #skipped = new Set<string>();

  constructor({ targets, replaces, targetDependents = false }: OperationOptions = {}) {
    this.#targets = new UrnPatterns(targets);
    this.#replaces = new UrnPatterns(replaces);
    this.#withDependents = targetDependents;
  }

  /** True for a resource that the user wants replaced. */
  replaces(urn: string): boolean {
    return this.#replaces.has(urn);
  }

  /** True where the operation is about a resource. Providers and the stack always take part. */
  includes(state: ResourceState): boolean {
    if (this.#targets.isEmpty) return true;
    const named = this.#targets.has(state.urn);
    const dependent = this.#withDependents && [...urnsBefore(state)].some((urn) => this.#isTargeted(urn));
    if (named || dependent) this.#included.add(state.urn);
    return named || dependent || isProviderType(state.type) || state.type === stackType;
  }

  /** Notes a resource that is new and not made. */
  skip(urn: string): void {
    this.#skipped.add(urn);
  }

  /** True for a resource that is new and not made. */
  isSkipped(urn: string): boolean {
    return this.#skipped.has(urn);
  }

  /** Throws SlipwayError E_UPDATE_FAILED for a resource that needs one which is not made. */
  assertNoneSkipped(state: ResourceState): void {
    const missing = [...urnsBefore(state)].find((urn) => this.#skipped.has(urn));
    if (missing === undefined) return;
    throw new SlipwayError(
      "E_UPDATE_FAILED",
      `${state.urn} depends on ${missing}, which is not made yet and not among the targets`,
      { hint: `Add --target '${missing}'.` },
    );
  }

  /** Which resources of the state may be deleted: any (undefined), or the targets with all that depends on them. */
  deletable(loaded: readonly ResourceState[]): ReadonlySet<string> | undefined {
    if (this.#targets.isEmpty) return undefined;
    const urns = new Set<string>();
    for (const state of loaded) {
      if (this.#targets.has(state.urn) || [...urnsBefore(state)].some((urn) => urns.has(urn))) urns.add(state.urn);
    }
    return urns;
  }

  /** Throws SlipwayError E_UPDATE_FAILED where something would be deleted that no target names. */
  assertDeletable(doomed: Iterable<ResourceState>): void {
    if (this.#targets.isEmpty || this.#withDependents) return;
    const unnamed = [...doomed].filter(({ urn }) => !this.#targets.has(urn));
    const [first] = unnamed;
    if (first === undefined) return;
    throw new SlipwayError("E_UPDATE_FAILED", `${first.urn} would be deleted too, but is not among the targets`, {
      details: unnamed.slice(1).map(({ urn }) => urn),
      hint: "Name it with --target as well, or add --target-dependents.",
    });
  }

  /** Throws SlipwayError E_LOOKUP for a `--replace` that is not in the state. */
  assertReplacesKnown(isKnown: (urn: string) => boolean): void {
    assertKnown(this.#replaces, isKnown);
  }

  /** Throws SlipwayError E_LOOKUP for a `--target` that is neither in the state nor in the program. */
  assertTargetsKnown(isKnown: (urn: string) => boolean): void {
    assertKnown(this.#targets, isKnown);
  }

  #isTargeted(urn: string): boolean {
    return this.#targets.has(urn) || this.#included.has(urn);
  }
}

function assertKnown({ literals }: UrnPatterns, isKnown: (urn: string) => boolean): void {
  const [first, ...others] = [...literals].filter((urn) => !isKnown(urn));
  if (first === undefined) return;
  throw new SlipwayError("E_LOOKUP", `the stack has no resource ${first}`, {
    details: others,
    hint: first.includes("$")
      ? "`slipway preview` lists the resources of the program."
      : "If the URN has a $, put it in single quotes: the shell takes it for a variable.",
  });
}
