import { activations } from "../../models/activations.ts";
import { encodeOnnx, type OnnxNode, type OnnxTensor } from "../../models/onnx-writer.ts";
import type { MlpLayer } from "../mlp/network.ts";
import type { ServableNetwork } from "./servable.ts";

/** The tensors by which an exported network is called. */
export const EXPORTED_INPUT = "input";
export const EXPORTED_OUTPUT = "output";

/** The network as an ONNX file that takes and answers any number of rows. The one place that knows how networks become ONNX. */
export function exportOnnx({ scaling, network }: ServableNetwork): Uint8Array {
  const nodes: OnnxNode[] = [];
  const constants: OnnxTensor[] = [];
  const constant = (name: string, dims: number[], values: Float64Array) => {
    constants.push({ name, dims, values: Float32Array.from(values) });
    return name;
  };
  let tensor = EXPORTED_INPUT;
  const then = (op: string, output: string, ...others: string[]) => {
    nodes.push({ op, inputs: [tensor, ...others], output });
    tensor = output;
  };
  if (scaling) {
    then("Sub", "scaling/shifted", constant("scaling/means", [network.features], scaling.means));
    then("Div", "scaling/scaled", constant("scaling/deviations", [network.features], scaling.deviations));
  }
  for (const layer of network.layers) {
    if (layer.kind === "dropout") continue; // computes nothing when a model serves
    if (layer.kind === "dense") {
      const { name, inputs, outputs, kernel, bias } = layer;
      then(
        "Gemm",
        `${name}/sum`,
        constant(`${name}/kernel`, [inputs, outputs], kernel),
        constant(`${name}/bias`, [outputs], bias ?? new Float64Array(outputs)),
      );
    } else {
      nodes.push(...nodesOf(layer, tensor));
      tensor = layer.name;
    }
  }
  then("Identity", EXPORTED_OUTPUT);
  return encodeOnnx({
    name: network.name,
    input: { name: EXPORTED_INPUT, width: network.features },
    output: { name: EXPORTED_OUTPUT, width: network.outputs },
    nodes,
    constants,
  });
}

function nodesOf({ name, activation }: Extract<MlpLayer, { kind: "activation" }>, tensor: string): OnnxNode[] {
  const found = activations.get(activation);
  if (found === undefined) throw new Error(`the activation ${activation} has no form in ONNX`); // a test compares the lists
  return found.nodes(tensor, name);
}
