import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

// What the tutorial and models/diabetes/README.md say about the example model, read off its files.
const folder = new URL("../../models/diabetes/", import.meta.url);
const lines = (variant: string) =>
  readFileSync(new URL(`${variant}/data.csv`, folder), "ascii")
    .trimEnd()
    .split("\n")
    .map((line) => line.split(","));
const table = (variant: string) =>
  lines(variant)
    .slice(1)
    .map((cells) => cells.map(Number));
const golden = (variant: string): { rows: number[][]; outputs: number[]; tolerance: number } =>
  JSON.parse(readFileSync(new URL(`${variant}/golden.json`, folder), "ascii"));
const classes = (variant: string) =>
  golden(variant)
    .outputs.slice(0, 7)
    .map((output) => (output > 0.5 ? 1 : 0));

const ranges = [
  [0, 17],
  [0, 199],
  [0, 122],
  [0, 99],
  [0, 846],
  [0, 67.1],
  [0.078, 2.42],
  [21, 81],
  [0, 1],
] as const;

test.each([
  ["production", 7],
  ["development", 765],
])("%s/data.csv has %i rows of nine numbers, named and within their ranges", (variant, rows) => {
  expect(lines(variant)[0]).toHaveLength(ranges.length);
  expect(table(variant)).toHaveLength(rows);
  for (const row of table(variant)) {
    expect(row).toHaveLength(ranges.length);
    row.forEach((value, column) => {
      expect(value).toBeGreaterThanOrEqual(ranges[column]?.[0] ?? Number.NaN);
      expect(value).toBeLessThanOrEqual(ranges[column]?.[1] ?? Number.NaN);
    });
  }
});

test("about a third of the training rows is positive, and measurements are missing where the README says", () => {
  const rows = table("development");
  const share = (column: number, value: number) => rows.filter((row) => row[column] === value).length / rows.length;
  expect(share(8, 1)).toBeCloseTo(0.35, 1);
  for (const column of [1, 2, 3, 4, 5]) expect(share(column, 0), `column ${column + 1}`).toBeGreaterThan(0);
  expect(share(4, 0), "insulin is missing most often").toBeGreaterThan(share(3, 0));
});

test("no row of production/ was trained on", () => {
  const known = new Set(table("development").map(String));
  expect(table("production").filter((row) => known.has(String(row)))).toEqual([]);
});

test.each(["production", "development"])("the golden rows of %s begin with the seven rows", (variant) => {
  const { rows, outputs, tolerance } = golden(variant);
  expect(rows.slice(0, 7)).toEqual(table("production").map((row) => row.slice(0, 8)));
  expect(outputs).toHaveLength(rows.length);
  expect(tolerance).toBe(1e-5);
});

test("a release of the other variant shows in the classes", () => {
  expect(classes("production")).toEqual([0, 1, 0, 0, 0, 0, 1]);
  expect(classes("development")).toEqual([0, 1, 0, 1, 0, 0, 1]);
});
