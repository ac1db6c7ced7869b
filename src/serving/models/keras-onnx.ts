import { type Activation, activations } from "./activations.ts";
import type { TrainedLayer, TrainedNetwork } from "./keras-pair.ts";
import { encodeOnnx, type OnnxNode, type OnnxTensor } from "./onnx-writer.ts";

/** The tensors by which a converted network is called. */
const CONVERTED_INPUT = "input";
const CONVERTED_OUTPUT = "output";

/** The network as an ONNX file that takes and answers any number of rows. */
export function convertToOnnx({ name, features, outputs, layers }: TrainedNetwork): Uint8Array {
  const nodes: OnnxNode[] = [];
  const constants: OnnxTensor[] = [];
  let tensor = CONVERTED_INPUT;
  layers.forEach((layer, index) => {
    const to = index === layers.length - 1 ? CONVERTED_OUTPUT : layer.name;
    if (layer.kind === "dense") {
      const [kernel, bias, sum] = [`${layer.name}/kernel`, `${layer.name}/bias`, `${layer.name}/sum`];
      constants.push(
        { name: kernel, dims: [layer.inputs, layer.outputs], values: layer.kernel },
        { name: bias, dims: [layer.outputs], values: layer.bias },
      );
      nodes.push({ op: "Gemm", inputs: [tensor, kernel, bias], output: sum });
      tensor = sum;
    }
    nodes.push(...activationOf(layer).nodes(tensor, to));
    tensor = to;
  });
  return encodeOnnx({
    name,
    input: { name: CONVERTED_INPUT, width: features },
    output: { name: CONVERTED_OUTPUT, width: outputs },
    nodes,
    constants,
  });
}

/** The network's outputs for a row, in float64 and without ONNX: what a conversion is compared with. */
export function forward({ layers }: TrainedNetwork, row: number[]): number[] {
  return layers.reduce((values, layer) => {
    return activationOf(layer).apply(layer.kind === "dense" ? affine(layer, values) : values);
  }, row.map(Math.fround));
}

function affine(
  { inputs, outputs, kernel, bias }: Extract<TrainedLayer, { kind: "dense" }>,
  values: number[],
): number[] {
  const sums = Array.from(bias);
  for (let from = 0; from < inputs; from++) {
    const value = values[from] as number;
    for (let to = 0; to < outputs; to++) {
      sums[to] = (sums[to] as number) + value * (kernel[from * outputs + to] as number);
    }
  }
  return sums;
}

function activationOf(layer: TrainedLayer): Activation {
  return activations.get(layer.activation) as Activation; // the description's reader lets only known ones pass
}
