import { describe, expect, it } from "vitest";
import type { ModelCard, TensorSpec } from "../../../src/serving/models/card.ts";
import { newDemands } from "../../../src/serving/models/new-demands.ts";
import { binaryCard } from "../cards.ts";

const card = binaryCard(2);
const { rows, ...withoutRows } = card;
const withColumns = (...columns: string[]) => ({ ...card, rows: { ...rows, input: { ...rows.input, columns } } });
const taking = (...inputs: TensorSpec[]): ModelCard => ({ ...withoutRows, inputs });
const x = (datatype: TensorSpec["datatype"], ...shape: number[]) => ({ name: "x", datatype, shape });
const answering = (...names: string[]): ModelCard => ({
  ...withoutRows,
  outputs: names.map((name) => ({ name, datatype: "FP32", shape: [-1, 1] })),
});
const calling = (schema: object | boolean, parameters?: { name: string; optional: boolean }[]): ModelCard => ({
  ...taking({ name: "arguments", datatype: "BYTES", shape: [1] }),
  function: {
    schema: { arguments: schema as Record<string, unknown> },
    ...(parameters && { parameters }),
    timeoutMs: 1000,
    memoryMiB: 64,
    concurrency: 1,
  },
});
const n = { type: "object", properties: { n: { type: "integer" } }, required: ["n"], additionalProperties: false };

describe("what clients of one model ask and another refuses", () => {
  it.each<[string, ModelCard, ModelCard]>([
    ["takes the same", card, card],
    ["leaves an axis free", taking(x("FP32", -1, 2)), taking(x("FP32", -1, -1))],
    ["names columns that had no names", card, withColumns("a", "b")],
    ["takes rows as well", withoutRows, card],
    ["answers more", answering("p"), answering("p", "q")],
    [
      "takes an argument that may be left out",
      calling(n),
      calling({ ...n, properties: { n: { type: "integer" }, m: {} } }),
    ],
    ["takes any argument", calling(n), calling(true)],
  ])("is nothing where it %s", (_what, live, next) => {
    expect(newDemands(live, next)).toEqual([]);
  });

  it.each<[string, ModelCard, ModelCard, string[]]>([
    ["another number of features", card, binaryCard(3), ["input input is FP32 [-1, 3], and was FP32 [-1, 2]"]],
    ["another datatype", taking(x("FP32", -1)), taking(x("INT64", -1)), ["input x is INT64 [-1], and was FP32 [-1]"]],
    ["further axes", taking(x("FP32", -1)), taking(x("FP32", -1, 1)), ["input x is FP32 [-1, 1], and was FP32 [-1]"]],
    ["a bound axis", taking(x("FP32", -1)), taking(x("FP32", 4)), ["input x is FP32 [4], and was FP32 [-1]"]],
    [
      "another name",
      taking(x("FP32", -1)),
      taking({ ...x("FP32", -1), name: "y" }),
      ["input x (FP32 [-1]) is not taken any more", "input y (FP32 [-1]) is asked for, and was not"],
    ],
    ["no rows", card, withoutRows, ["rows are not taken any more"]],
    ["other columns", withColumns("a", "b"), withColumns("b", "a"), ["a row's columns are b, a, and were a, b"]],
    ["an output less", answering("p", "q"), answering("p"), ["output q is not answered any more"]],
    [
      "other arguments",
      calling({ ...n, properties: { n: { type: "integer" }, old: { type: "string" } } }),
      calling({ ...n, properties: { n: { type: "string" }, m: {} }, required: ["n", "m"] }),
      [
        "argument m is asked for, and was not",
        'argument n is of type "string", and was "integer"',
        "argument old is not taken any more",
      ],
    ],
    [
      "a further parameter",
      calling(true, [{ name: "a", optional: false }]),
      calling(true, [
        { name: "a", optional: false },
        { name: "b", optional: false },
        { name: "c", optional: true },
      ]),
      ["argument b is asked for, and was not"],
    ],
  ])("is told of %s", (_what, live, next, demands) => {
    expect(newDemands(live, next)).toEqual(demands);
  });
});
