import { describe, expect, it } from "vitest";
import type { Evaluation } from "../../../src/serving/frontend/models/evaluation.ts";
import { parsePageQuery, select } from "../../../src/serving/frontend/pages/selection.ts";
import { binaryCard } from "../cards.ts";

/** 60 rows: class 1 for every third, right for the even ones. */
function evaluationWith(labelled: boolean): Evaluation {
  const classes = Array.from({ length: 60 }, (_, row) => (row % 3 === 0 ? 1 : 0));
  return {
    model: { name: "m", version: "1", digest: `sha256:${"0".repeat(64)}` },
    card: binaryCard(1),
    rows: classes.map((value) => [value]),
    predictions: classes.map((value) => ({ class: value, probability: value })),
    labels: labelled ? classes.map((value, row) => (row % 2 === 0 ? value : 1 - value)) : undefined,
    accuracy: labelled ? 50 : undefined,
  };
}
const evaluation = evaluationWith(true);

describe("a page of the predictions", () => {
  it("is 25 rows of all, in order; the last page has the rest", () => {
    expect(select(evaluation, {})).toMatchObject({ page: 1, pages: 3, matching: 60 });
    expect(select(evaluation, {}).rows).toEqual(Array.from({ length: 25 }, (_, row) => row));
    expect(select(evaluation, { page: 3 }).rows).toEqual(Array.from({ length: 10 }, (_, row) => 50 + row));
  });

  it("is of one predicted class, right or wrong", () => {
    expect(select(evaluation, { class: 1 }).rows).toEqual(Array.from({ length: 20 }, (_, index) => index * 3));
    expect(select(evaluation, { class: 1, only: "wrong" }).rows).toEqual(
      Array.from({ length: 10 }, (_, index) => index * 6 + 3),
    );
    expect(select(evaluation, { class: 1, only: "right" })).toMatchObject({ matching: 10, pages: 1 });
  });

  it("may be empty: of a class that nothing is, of rights and wrongs where no truth is known", () => {
    expect(select(evaluation, { class: 9 })).toMatchObject({ page: 1, pages: 1, matching: 0, rows: [] });
    expect(select(evaluationWith(false), { only: "right" }).rows).toEqual([]);
    expect(select(evaluationWith(false), { only: "wrong" }).rows).toEqual([]);
  });

  it.each([0, 4])("is refused where there is none: %i", (page) => {
    expect(() => select(evaluation, { page })).toThrow(expect.objectContaining({ statusCode: 404 }));
  });
});

describe("the query", () => {
  it("names page, class and what is shown; everything else is let be", () => {
    expect(parsePageQuery({ page: "2", class: "0", only: "wrong", utm: "x" })).toEqual({
      page: 2,
      class: 0,
      only: "wrong",
    });
    expect(parsePageQuery({})).toEqual({});
  });

  it.each([
    { page: "" },
    { page: "two" },
    { page: "-1" },
    { page: "1e3" },
    { page: ["1", "2"] },
    { class: "1.5" },
    { only: "good" },
  ])("is refused: %j", (query) => {
    const [name] = Object.keys(query);
    expect(() => parsePageQuery(query)).toThrow(
      expect.objectContaining({ statusCode: 400, message: expect.stringContaining(`"${name}"`) }),
    );
  });
});
