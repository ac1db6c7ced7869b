import { z } from "zod";
import { activationOf } from "../activations.ts";
import { type AnyLayerKind, layerKind, lengthOf } from "../layer-kind.ts";
import { activated, activatedRow, activationOption } from "./activation.ts";

const ONNX_INT32 = 6;

const dense = layerKind(
  { units: z.number().int().positive(), use_bias: z.boolean().default(true), activation: activationOption },
  {
    ignored: ["lora_rank", "lora_alpha", "quantization_config", "input_dim"],
    weights: ({ use_bias }) => [{ name: "kernel" }, ...(use_bias ? [{ name: "bias" }] : [])],
    convert: (call, x) => {
      const { graph, options } = call;
      const { units } = options;
      const width = lengthOf(call, x.shape, x.shape.length - 1);
      const [kernel = new Float32Array(), bias] = call.weights([[width, units], [units]]);
      const factors = [x.tensor, graph.floats(kernel, [width, units], "kernel")];
      const addend = bias && graph.floats(bias, [units], "bias");
      const matrix = x.shape.length === 1;
      let tensor = graph.add(matrix && addend ? "Gemm" : "MatMul", matrix && addend ? [...factors, addend] : factors);
      if (!matrix && addend) tensor = graph.add("Add", [tensor, addend]);
      return activated(call, { tensor, shape: [...x.shape.slice(0, -1), units], type: "FP32" }, options.activation);
    },
    forward: ({ options: { units, activation }, weights: [kernel, bias], generation }, row) => {
      const width = row.shape.at(-1) ?? 0;
      const values: number[] = [];
      for (let start = 0; start < row.values.length; start += width) {
        const sums = bias ? Array.from(bias) : new Array<number>(units).fill(0);
        for (let from = 0; from < width; from++) {
          const value = row.values[start + from] as number;
          for (let to = 0; to < units; to++) {
            sums[to] = (sums[to] as number) + value * (kernel?.[from * units + to] as number);
          }
        }
        for (const sum of sums) values.push(sum);
      }
      return activatedRow({ shape: [...row.shape.slice(0, -1), units], values }, activationOf(activation, generation));
    },
  },
);

/** A layer that does nothing when a model serves. */
function identity(...ignored: string[]): AnyLayerKind {
  return layerKind({}, { ignored, takesIntegers: true, convert: (_, x) => x, forward: (_, row) => row });
}

const embedding = layerKind(
  {
    input_dim: z.number().int().positive(),
    output_dim: z.number().int().positive(),
    mask_zero: z.boolean().default(false),
  },
  {
    ignored: ["input_length", "sparse", "lora_rank", "lora_alpha", "quantization_config"],
    takesIntegers: true,
    mask: "ends",
    weights: () => [{ name: "embeddings" }],
    convert: (call, x) => {
      const { input_dim, output_dim, mask_zero } = call.options;
      const [table = new Float32Array()] = call.weights([[input_dim, output_dim]]);
      const rows = call.graph.floats(table, [input_dim, output_dim], "embeddings");
      const isIndex = x.type === "INT32" || x.type === "INT64";
      const indices = isIndex ? x.tensor : call.graph.add("Cast", [x.tensor], { to: ONNX_INT32 });
      const tensor = call.graph.add("Gather", [rows, indices], { axis: 0 });
      return { tensor, shape: [...x.shape, output_dim], type: "FP32", masked: mask_zero };
    },
  },
);

export const coreLayerKinds: Record<string, AnyLayerKind> = {
  Dense: dense,
  Embedding: embedding,
  Dropout: identity("rate", "seed", "noise_shape"),
  SpatialDropout1D: identity("rate", "seed", "noise_shape"),
  SpatialDropout2D: identity("rate", "seed", "noise_shape", "data_format"),
  GaussianNoise: identity("stddev", "seed"),
  GaussianDropout: identity("rate", "seed"),
  AlphaDropout: identity("rate", "seed", "noise_shape"),
  ActivityRegularization: identity("l1", "l2"),
  Identity: identity(),
};
