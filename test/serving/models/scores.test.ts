import { expect, it } from "vitest";
import { classScores } from "../../../src/serving/models/scores.ts";

const predicted = (...classes: number[]) => classes.map((value) => ({ class: value, probability: 0.5 }));

it("every class is counted in truth, in the predictions, and in both", () => {
  expect(classScores(predicted(1, 0, 1, 0, 1), [1, 1, 0, 0, 1])).toEqual([
    { class: 0, actual: 2, predicted: 2, right: 1 },
    { class: 1, actual: 3, predicted: 3, right: 2 },
  ]);
});

it("classes that only one of the two knows are among them, in order", () => {
  expect(classScores(predicted(10, 2), [2, 7])).toEqual([
    { class: 2, actual: 1, predicted: 1, right: 0 },
    { class: 7, actual: 1, predicted: 0, right: 0 },
    { class: 10, actual: 0, predicted: 1, right: 0 },
  ]);
});
