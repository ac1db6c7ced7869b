import { expect, it } from "vitest";
import { GOLDEN_TOLERANCE } from "../../../src/serving/models/golden.ts";
import { openOnnxModel } from "../../../src/serving/models/onnx-model.ts";
import { encodeOnnx, type OnnxGraph, type OnnxType } from "../../../src/serving/models/onnx-writer.ts";
import { computesRowsAlone } from "../../../src/serving/models/rows-alone.ts";
import { tensorFromJson } from "../../../src/serving/tensors/json.ts";
import type { RawTensor } from "../../../src/serving/tensors/raw-tensor.ts";

/** Asks a model whose output is called y whether rows come out of it as they do alone. */
async function alone(
  x: { type: OnnxType; shape: readonly number[] },
  nodes: OnnxGraph["nodes"],
  inputs: RawTensor[],
  table = 0,
) {
  const onnx = encodeOnnx({
    name: "rows",
    inputs: [{ name: "x", type: x.type, shape: [...x.shape] }],
    outputs: [{ name: "y", type: "FP32", shape: [...x.shape] }],
    nodes,
    constants: table === 0 ? [] : [{ name: "table", dims: [table], values: new Float32Array(table).map((_, i) => i) }],
  });
  const model = await openOnnxModel(onnx);
  try {
    return await computesRowsAlone(model, inputs, GOLDEN_TOLERANCE);
  } finally {
    await model.close();
  }
}

const floats = { type: "FP32", shape: [3] } as const;
const one = tensorFromJson("FP32", [1, 3], [2, 2, 2]);
const alike = tensorFromJson("FP32", [2, 3], [0, 0, 0, 0, 0, 0]);

/** x less what an operation makes of it along an axis: of the other rows (0), or of the row itself (1). */
function lessThe(op: string, axis: number): OnnxGraph["nodes"] {
  return [
    { op, inputs: ["x"], outputs: ["of"], attributes: { axes: [axis], keepdims: 1 } },
    { op: "Sub", inputs: ["x", "of"], outputs: ["y"] },
  ];
}

it.each([
  ["one row", one],
  ["rows that are alike", alike],
])("rows that depend on each other are seen, though all that is known are %s", async (_, known) => {
  for (const op of ["ReduceMax", "ReduceMean", "ReduceMin"]) {
    expect(await alone(floats, lessThe(op, 0), [known]), op).toBe(false);
    expect(await alone(floats, lessThe(op, 1), [known]), op).toBe(true);
  }
});

it("rows that are known and differ are asked as they are", async () => {
  const known = tensorFromJson("FP32", [4, 3], [1, 0, 0, 0, 2, 0, 0, 0, 3, 4, 0, 0]);
  expect(await alone(floats, lessThe("ReduceMax", 0), [known])).toBe(false);
  expect(await alone(floats, lessThe("ReduceMax", 1), [known])).toBe(true);
});

const lookUp: OnnxGraph["nodes"] = [{ op: "Gather", inputs: ["table", "x"], outputs: ["y"], attributes: { axis: 0 } }];

it.each([
  ["with room for made-up ones", 2, [0], true],
  ["and no room for others than the row's own", 1, [0, 0, 0], false], // no rows that differ: nothing is known
] as const)("indices are varied where a table is looked up in, %s", async (_, table, row, expected) => {
  const input = tensorFromJson("INT64", [1, row.length], [...row]);
  expect(await alone({ type: "INT64", shape: [row.length] }, lookUp, [input], table)).toBe(expected);
});
