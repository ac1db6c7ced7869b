import { importModel, type ModelPackage } from "../../src/serving/models/import.ts";
import { encodeOnnx } from "../../src/serving/models/onnx-writer.ts";
import { exampleModel, goldenRows } from "../../test/serving/support.ts";

/** A model to serve and one row to ask it, with the answer that is right. */
export interface Net {
  name: "small" | "heavy";
  what: string;
  model: ModelPackage;
  row: number[];
  /** The probability of class 1, from elsewhere than ONNX Runtime. */
  expected: number;
}

const FEATURES = 8;
const WIDTH = 1024;

/** The example model of the project: 8-12-8-1. */
export async function smallNet(): Promise<Net> {
  const model = await importModel(exampleModel("production"));
  const { rows, outputs } = goldenRows(model);
  return {
    name: "small",
    what: "8-12-8-1, the example model",
    model,
    row: rows[0] as number[],
    expected: outputs[0] as number,
  };
}

/** 8-1024-1024-1024-1 with made-up weights, the same each time: 2.1 million of them. */
export function heavyNet(): Net {
  const random = seeded(20261121);
  const widths = [FEATURES, WIDTH, WIDTH, WIDTH, 1];
  const layers = widths.slice(1).map((outputs, index) => {
    const inputs = widths[index] as number;
    const spread = Math.sqrt(6 / inputs); // He's: the signal neither dies out nor grows on its way through ReLUs
    const kernel = Float32Array.from({ length: inputs * outputs }, () => (2 * random() - 1) * spread);
    return { inputs, outputs, kernel, bias: new Float32Array(outputs) };
  });
  const rows = Array.from({ length: 2 }, () => Array.from({ length: FEATURES }, () => Math.fround(random())));
  const outputs = rows.map((row) => forward(layers, row));
  return {
    name: "heavy",
    what: widths.join("-"),
    model: {
      card: {
        schemaVersion: 2,
        platform: "onnx",
        inputs: [{ name: "input", datatype: "FP32", shape: [-1, FEATURES] }],
        outputs: [{ name: "output", datatype: "FP32", shape: [-1, 1] }],
        batching: true,
        rows: {
          input: { name: "input", features: FEATURES },
          output: { kind: "binary", name: "output", threshold: 0.5 },
        },
        source: { format: "onnx", files: [] },
      },
      onnx: encodeDense(layers),
      golden: { rows, outputs, source: "computed in float64" },
      data: undefined,
    },
    row: rows[0] as number[],
    expected: outputs[0] as number,
  };
}

interface Dense {
  inputs: number;
  outputs: number;
  /** Row-major `[inputs, outputs]`. */
  kernel: Float32Array;
  bias: Float32Array;
}

/** Dense layers with ReLUs between them and a sigmoid at the end, as an ONNX file. */
function encodeDense(layers: Dense[]): Uint8Array {
  const last = layers.length - 1;
  const tensorAfter = (index: number) => (index < 0 ? "input" : index === last ? "output" : `layer${index}`);
  return encodeOnnx({
    name: "heavy",
    inputs: [{ name: "input", type: "FP32", shape: [layers[0]?.inputs ?? 0] }],
    outputs: [{ name: "output", type: "FP32", shape: [layers[last]?.outputs ?? 0] }],
    nodes: layers.flatMap((_, index) => [
      { op: "Gemm", inputs: [tensorAfter(index - 1), `kernel${index}`, `bias${index}`], outputs: [`sum${index}`] },
      { op: index === last ? "Sigmoid" : "Relu", inputs: [`sum${index}`], outputs: [tensorAfter(index)] },
    ]),
    constants: layers.flatMap(({ inputs, outputs, kernel, bias }, index) => [
      { name: `kernel${index}`, dims: [inputs, outputs], values: kernel },
      { name: `bias${index}`, dims: [outputs], values: bias },
    ]),
  });
}

/** The network's one output for a row, in float64. */
function forward(layers: Dense[], row: number[]): number {
  const [output = 0] = layers.reduce((values, { inputs, outputs, kernel, bias }, index) => {
    const sums = Float64Array.from(bias);
    for (let from = 0; from < inputs; from++) {
      for (let to = 0; to < outputs; to++) {
        sums[to] = (sums[to] as number) + (values[from] as number) * (kernel[from * outputs + to] as number);
      }
    }
    return index === layers.length - 1 ? sums : sums.map((sum) => Math.max(0, sum));
  }, Float64Array.from(row));
  return 1 / (1 + Math.exp(-output));
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
