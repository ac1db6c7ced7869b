import { expect, it } from "vitest";
import { columnRanges, outsideColumns } from "../../../src/serving/models/columns.ts";

const ranges = columnRanges([
  [3, 0.5],
  [1, 100],
  [20, -2],
  [2, 0.7],
]);

it("a column's range is its least, its middle and its greatest value", () => {
  expect(ranges).toEqual([
    { min: 1, median: 2.5, max: 20 },
    { min: -2, median: 0.6, max: 100 },
  ]);
  expect(columnRanges([[9], [10], [100]])).toEqual([{ min: 9, median: 10, max: 100 }]);
});

it("without rows there are no ranges, and nothing is outside", () => {
  expect(columnRanges([])).toEqual([]);
  expect(outsideColumns([1, 2], [])).toEqual([]);
});

it.each([
  [[1, 100], []],
  [[20, -2], []],
  [[0.99, 0], [0]],
  [
    [21, 100.1],
    [0, 1],
  ],
])("%j is outside in %j: the ends are inside", (row, columns) => {
  expect(outsideColumns(row, ranges)).toEqual(columns);
});
