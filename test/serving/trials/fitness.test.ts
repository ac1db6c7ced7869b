import { describe, expect, it } from "vitest";
import type { RowCard } from "../../../src/serving/models/card.ts";
import { trialProblem } from "../../../src/serving/routing/trials/fitness.ts";
import { binaryCard } from "../cards.ts";

const card = binaryCard(2) as RowCard;
const { rows } = card;
const withColumns = (...columns: string[]): RowCard => ({
  ...card,
  rows: { ...rows, input: { ...rows.input, columns } },
});
const { rows: _, ...withoutRows } = card;

describe("a version that shall be tried", () => {
  it.each([
    ["is asked and answers alike", card, card, undefined],
    ["has the same columns", withColumns("a", "b"), withColumns("a", "b"), undefined],
    ["has columns that the live one does not name", card, withColumns("a", "b"), undefined],
    ["has its columns in another order", withColumns("a", "b"), withColumns("b", "a"), "its columns are not"],
    ["takes more numbers", card, binaryCard(3), "takes or answers something else"],
    ["is not read as rows", card, withoutRows, "takes or answers something else"],
    [
      "tells numbers where the live one tells classes",
      card,
      { ...card, rows: { ...rows, output: { kind: "values" as const, name: rows.output.name, width: 1 } } },
      "takes or answers something else",
    ],
  ])("%s", (_what, live, trial, problem) => {
    for (const mode of ["canary", "shadow"] as const) {
      if (problem === undefined) expect(trialProblem(live, trial, mode)).toBeUndefined();
      else expect(trialProblem(live, trial, mode)).toContain(problem);
    }
  });

  it("may do something as a canary, and not as a shadow", () => {
    const doing = { ...card, pure: false };
    expect(trialProblem(card, doing, "canary")).toBeUndefined();
    expect(trialProblem(card, doing, "shadow")).toContain("besides answering");
    expect(trialProblem(doing, card, "shadow")).toBeUndefined();
  });
});
