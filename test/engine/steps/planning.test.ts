import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { integrityProblem } from "../../../src/engine/embedded/state/integrity.ts";
import type { ResourceState } from "../../../src/engine/embedded/state/resource-state.ts";
import { urnsBefore } from "../../../src/engine/embedded/state/resource-state.ts";
import { decide, diffInputs } from "../../../src/engine/embedded/steps/decision.ts";
import { dependentsOf, planDeletions, runPlan } from "../../../src/engine/embedded/steps/deletions.ts";
import { parseDuration } from "../../../src/engine/embedded/steps/goal.ts";
import { Limit } from "../../../src/engine/embedded/steps/limit.ts";
import type { DiffResult } from "../../../src/engine/resource-provider.ts";
import { resourceState } from "../support/resource-state.ts";

/** A valid state: each resource names some before it, some URNs stand there twice, the earlier generation to be deleted. */
const states = fc
  .array(
    fc.record({
      names: fc.array(fc.nat(), { maxLength: 3 }),
      how: fc.constantFrom("dependency", "property", "parent", "deletedWith"),
      again: fc.boolean(),
    }),
    { maxLength: 12 },
  )
  .map((specs) => {
    const order: ResourceState[] = [];
    for (const [index, { names, how, again }] of specs.entries()) {
      const older = again
        ? order.find((state) => !state.delete && !order.some((other) => urnsBefore(other).has(state.urn)))
        : undefined;
      if (older !== undefined) older.delete = true;
      const named =
        order.length === 0
          ? []
          : names.map((n) => order[n % order.length]?.urn ?? "").filter((urn) => urn !== older?.urn);
      const [first] = named;
      order.push(
        resourceState(older?.urn ?? `r${index}`, {
          ...(how === "dependency" ? { dependencies: named } : {}),
          ...(how === "property" ? { propertyDependencies: { p: named } } : {}),
          ...(how === "parent" && first ? { parent: first } : {}),
          ...(how === "deletedWith" && first ? { deletedWith: first } : {}),
        }),
      );
    }
    return order;
  });

describe("deletions", () => {
  it("never take a resource before those that name it, and take all", async () => {
    await fc.assert(
      fc.asyncProperty(states, fc.infiniteStream(fc.boolean()), async (order, choice) => {
        expect(integrityProblem(order)).toBeUndefined();
        const doomed = new Set(order.filter(() => choice.next().value));
        const gone: ResourceState[] = [];
        await runPlan(planDeletions(order, doomed), async (state) => {
          const alive = order.filter((other) => doomed.has(other) && !gone.includes(other));
          const later = alive.filter((other) => order.indexOf(other) > order.indexOf(state));
          expect(later.filter((other) => urnsBefore(other).has(state.urn))).toEqual([]);
          await Promise.resolve();
          gone.push(state);
          return true;
        });
        expect(new Set(gone)).toEqual(doomed);
      }),
    );
  });

  it("leave out what waits for a failed one", async () => {
    const order = [resourceState("a"), resourceState("b", { dependencies: ["a"] }), resourceState("c")];
    const tried: string[] = [];
    await runPlan(planDeletions(order, new Set(order)), async ({ urn }) => {
      tried.push(urn);
      return urn !== "b";
    });
    expect(tried.sort()).toEqual(["b", "c"]);
  });

  it("find the dependents that a replacement takes along, through each other but not through dependsOn", async () => {
    const order = [
      resourceState("provider"),
      resourceState("root"),
      resourceState("forced", { propertyDependencies: { id: ["root"] } }),
      resourceState("patient", { propertyDependencies: { name: ["root"] } }),
      resourceState("second", { propertyDependencies: { id: ["forced"] } }),
      resourceState("after", { dependencies: ["root"] }),
      resourceState("gone", { propertyDependencies: { id: ["root"] }, delete: true }),
    ];
    const forced = async (state: ResourceState) => "id" in state.propertyDependencies;
    const [, root] = order;
    const found = await dependentsOf([root as ResourceState], order, forced);
    expect(found.map(({ urn }) => urn)).toEqual(["forced", "second", "gone"]);
    const provided = [resourceState("p"), resourceState("x", { provider: "p::id" })];
    expect(await dependentsOf([provided[0] as ResourceState], provided, async () => false)).toEqual([provided[1]]);
  });
});

describe("the decision about a resource", () => {
  const diff = (more: Partial<DiffResult> = {}): DiffResult => ({
    changes: false,
    replaces: [],
    deleteBeforeReplace: false,
    detailedDiff: {},
    ...more,
  });
  const options = { deleteBeforeReplace: undefined, replaceOnChanges: [] };
  const old = resourceState("r", { provider: "p::1" });
  const cases: [string, ResourceState, DiffResult, Partial<typeof options> | object, object][] = [
    ["nothing changed", old, diff(), {}, { action: "same" }],
    ["a change", old, diff({ changes: true }), {}, { action: "update" }],
    [
      "a demand",
      old,
      diff({ changes: true, replaces: ["a"] }),
      {},
      { action: "replace", reasons: ["a"], deleteFirst: false },
    ],
    [
      "a demand in the details",
      old,
      diff({ detailedDiff: { "a[0]": { kind: "add-replace", inputDiff: true } } }),
      {},
      { action: "replace", reasons: ["a[0]"] },
    ],
    [
      "replaceOnChanges",
      old,
      diff({ changes: true, detailedDiff: { "a.b": { kind: "update", inputDiff: true } } }),
      { replaceOnChanges: ["a"] },
      { action: "replace", reasons: ["a.b"] },
    ],
    [
      "the provider's delete-first",
      old,
      diff({ changes: true, replaces: ["a"], deleteBeforeReplace: true }),
      {},
      { deleteFirst: true },
    ],
    [
      "the program's choice over the provider's",
      old,
      diff({ changes: true, replaces: ["a"], deleteBeforeReplace: true }),
      { deleteBeforeReplace: false },
      { deleteFirst: false },
    ],
    [
      "initialisation errors",
      resourceState("r", { provider: "p::1", initErrors: ["x"] }),
      diff(),
      {},
      { action: "update" },
    ],
    [
      "initialisation errors that are to be replaced",
      resourceState("r", { initErrors: ["x"] }),
      diff({ changes: true, detailedDiff: { a: { kind: "update", inputDiff: true } } }),
      { replaceOnChanges: ["#initerror"] },
      { action: "replace", reasons: ["#initerror"] },
    ],
    [
      "replaceOnChanges below a list's elements",
      old,
      diff({ changes: true, detailedDiff: { "a[1].b": { kind: "update", inputDiff: true } } }),
      { replaceOnChanges: ["a[*].b"] },
      { action: "replace", reasons: ["a[1].b"] },
    ],
  ];
  it.each(cases)("%s", (_, state, difference, more, expected) => {
    expect(decide(state, difference, { ...options, ...more })).toMatchObject(expected);
  });

  it("compares inputs by key where no provider can", () => {
    expect(diffInputs({ a: 1, b: 2, c: [1] }, { b: 3, c: [1], d: 4 }).detailedDiff).toEqual({
      a: { kind: "delete", inputDiff: true },
      b: { kind: "update", inputDiff: true },
      d: { kind: "add", inputDiff: true },
    });
  });
});

it("durations are Go's", () => {
  expect(["5m", "1h30m", "1.5s", "250ms"].map(parseDuration)).toEqual([300, 5400, 1.5, 0.25]);
  expect(() => parseDuration("5 minutes")).toThrow("is no duration");
});

it("a limit is kept, in order, also after failures", async () => {
  const limit = new Limit(2);
  let running = 0;
  let most = 0;
  const order: number[] = [];
  const work = (n: number) =>
    limit.run(async () => {
      most = Math.max(most, ++running);
      order.push(n);
      await new Promise((resolve) => setTimeout(resolve, 1));
      running--;
      if (n === 1) throw new Error("one fails");
    });
  const results = await Promise.allSettled([0, 1, 2, 3, 4, 5].map(work));
  expect(results.filter(({ status }) => status === "rejected")).toHaveLength(1);
  expect(most).toBe(2);
  expect(order).toEqual([0, 1, 2, 3, 4, 5]);
});
