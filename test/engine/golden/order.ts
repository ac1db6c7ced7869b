import type { Resource, Step } from "./recording.ts";
import { shortName } from "./symbols.ts";

/** Operations that take something away: dependents go first. */
const removing = new Set(["delete", "delete-replaced", "discard", "discard-replaced"]);

/** Operations that follow the program: what a resource needs comes first. */
const following = new Set(["same", "create", "update", "replace", "create-replacement", "read", "import"]);

/**
 * Where steps are not in the order that the resources' dependencies demand; one line for each. Steps that do not depend on one another
 * may come in any order, and do so from run to run.
 * @param before the checkpoint before the run: what is removed goes by its dependencies
 * @param after and the one after it: what is made goes by these
 */
export function orderProblems(steps: Step[], before: Resource[], after: Resource[]): string[] {
  const made = after.flatMap((resource) =>
    needsOf(resource).flatMap((other) =>
      late(steps, following, other, resource.urn, "is begun before its dependency is there:"),
    ),
  );
  const removed = before.flatMap((resource) =>
    needsOf(resource).flatMap((other) => late(steps, removing, resource.urn, other, "is removed while there still is")),
  );
  return [...made, ...removed];
}

/** A line where `then` begins before `first` has ended. */
function late(steps: Step[], kind: Set<string>, first: string, then: string, problem: string): string[] {
  const of = (urn: string) =>
    steps.flatMap((step, at) => (step.urn === urn && kind.has(step.op) ? [{ step, at }] : []));
  const [before, after] = [of(first), of(then)];
  const begins = after[0]?.at ?? Number.POSITIVE_INFINITY;
  const ends = before.findLast(({ step }) => step.phase !== "begin")?.at ?? -1;
  return begins > ends ? [] : [`${shortName(then)} ${problem} ${shortName(first)}`];
}

/** Parents are not among them: a component ends after its children. */
function needsOf({ urn, dependencies, propertyDependencies, provider }: Resource): string[] {
  const own = (dependencies ?? []) as string[];
  const byProperty = Object.values((propertyDependencies ?? {}) as Record<string, string[] | null>);
  const urns = [...own, ...byProperty.flatMap((list) => list ?? [])];
  if (typeof provider === "string") urns.push(provider.slice(0, provider.lastIndexOf("::")));
  return [...new Set(urns)].filter((other) => other !== urn);
}
