import { activations } from "../../models/keras/activations.ts";
import { GraphBuilder } from "../../models/keras/builder.ts";
import { encodeOnnx } from "../../models/onnx-writer.ts";
import type { MlpLayer } from "../mlp/network.ts";
import type { ServableNetwork } from "./servable.ts";

/** The tensors by which an exported network is called. */
export const EXPORTED_INPUT = "input";
export const EXPORTED_OUTPUT = "output";

/** The network as an ONNX file that takes and answers any number of rows. The one place that knows how networks become ONNX. */
export function exportOnnx({ scaling, network }: ServableNetwork): Uint8Array {
  const graph = new GraphBuilder();
  const constant = (name: string, dims: number[], values: Float64Array) =>
    graph.floats(Float32Array.from(values), dims, name);
  graph.reserve(EXPORTED_OUTPUT);
  let tensor = graph.reserve(EXPORTED_INPUT);
  if (scaling) {
    graph.enter("scaling");
    const shifted = graph.add("Sub", [tensor, constant("means", [network.features], scaling.means)]);
    tensor = graph.add("Div", [shifted, constant("deviations", [network.features], scaling.deviations)]);
  }
  for (const layer of network.layers) {
    if (layer.kind === "dropout") continue; // computes nothing when a model serves
    graph.enter(layer.name);
    if (layer.kind === "dense") {
      const { inputs, outputs, kernel, bias } = layer;
      tensor = graph.add("Gemm", [
        tensor,
        constant("kernel", [inputs, outputs], kernel),
        constant("bias", [outputs], bias ?? new Float64Array(outputs)),
      ]);
    } else {
      tensor = activationOf(layer).emit(graph, tensor);
    }
  }
  graph.rename(tensor, EXPORTED_OUTPUT);
  const rows = (name: string, width: number) => ({ name, type: "FP32" as const, shape: [width] });
  return encodeOnnx(
    graph.graph({
      name: network.name,
      inputs: [rows(EXPORTED_INPUT, network.features)],
      outputs: [rows(EXPORTED_OUTPUT, network.outputs)],
    }),
  );
}

function activationOf({ activation }: Extract<MlpLayer, { kind: "activation" }>) {
  const found = activations.get(activation);
  if (found === undefined) throw new Error(`the activation ${activation} has no form in ONNX`); // a test compares the lists
  return found;
}
