import { invalid } from "../errors.ts";
import { activationNameOf } from "../mlp/keras-json.ts";
import type { DenseLayer, MlpLayer } from "../mlp/network.ts";
import { type GraphConstant, type GraphNode, type OnnxFile, readOnnxFile } from "./onnx-file.ts";
import type { ServableNetwork } from "./servable.ts";

/** ONNX operations that are an activation with their attributes at the defaults. */
const activationsByOp: ReadonlyMap<string, string> = new Map([
  ["Relu", "relu"],
  ["Sigmoid", "sigmoid"],
  ["Tanh", "tanh"],
  ["Softmax", "softmax"],
  ["Elu", "elu"],
  ["Selu", "selu"],
  ["Softplus", "softplus"],
  ["Softsign", "softsign"],
  ["Exp", "exponential"],
]);

/**
 * Reads back a feed-forward network: dense layers (Gemm, or MatMul and Add) and activations one after the other, perhaps behind a
 * scaling (Sub and Div). That is what Slipway exports, and what other exporters make of such networks.
 * @throws SlipwayError E_TRAINING_INVALID for every other graph, naming the operation
 */
export function importOnnx(bytes: Uint8Array): ServableNetwork {
  const file = readOnnxFile(bytes);
  const chain = new Chain(file);
  const scaling = chain.takeScaling();
  const layers: MlpLayer[] = [];
  while (!chain.isAtEnd()) {
    const layer = chain.takeLayer(layers.length + 1);
    const before = layers.at(-1);
    const isOwn = layer.kind === "activation" && before?.kind === "dense";
    layers.push(isOwn ? { ...layer, name: activationNameOf(before.name) } : layer);
  }
  const dense = layers.filter((layer) => layer.kind === "dense");
  const [first, last] = [dense[0], dense.at(-1)];
  if (first === undefined || last === undefined) throw notTrainable("it has no dense layer");
  dense.forEach((layer, index) => {
    const before = dense[index - 1];
    if (before && before.outputs !== layer.inputs)
      throw notTrainable(`layer ${layer.name} does not fit the one before it`);
  });
  if (scaling && scaling.means.length !== first.inputs) throw notTrainable("its scaling does not fit its first layer");
  return { scaling, network: { name: "network", features: first.inputs, outputs: last.outputs, layers } };
}

/** The graph's operations in the order in which they hang on the input. */
class Chain {
  readonly #file: OnnxFile;
  #tensor: string;

  constructor(file: OnnxFile) {
    this.#file = file;
    const [input, ...others] = file.inputs;
    if (input === undefined || others.length > 0) throw notTrainable(`it has ${file.inputs.length} inputs`);
    this.#tensor = input;
    this.#skipIdentities();
  }

  isAtEnd(): boolean {
    return this.#users().length === 0;
  }

  takeScaling(): ServableNetwork["scaling"] {
    const shift = this.#users()[0];
    if (shift?.op !== "Sub") return undefined;
    const means = this.#rowOf(shift);
    this.#goOn(shift);
    const scale = this.#users()[0];
    if (scale?.op !== "Div") throw notTrainable("a Sub without a Div after it is no scaling");
    const deviations = this.#rowOf(scale);
    this.#goOn(scale);
    return { means, deviations };
  }

  /** A dense layer or an activation, of which there is one. @param number of the layer, for a name where it has none */
  takeLayer(number: number): MlpLayer {
    const [node, gate] = this.#users() as [GraphNode, GraphNode?];
    if (gate) return this.#takeSwish(node, gate, number);
    const activation = activationsByOp.get(node.op);
    if (activation !== undefined) {
      const axis = node.numbers.get("axis") ?? -1;
      const alpha = node.numbers.get("alpha") ?? 1;
      if (node.op === "Softmax" && axis !== -1 && axis !== 1) throw notTrainable(`it has a Softmax over axis ${axis}`);
      if (node.op === "Elu" && alpha !== 1) throw notTrainable(`it has an Elu with alpha ${alpha}`);
      this.#goOn(node);
      return { kind: "activation", name: `activation_${number}`, activation };
    }
    if (node.op === "Gemm") return this.#takeGemm(node, number);
    if (node.op === "MatMul") return this.#takeMatMul(node, number);
    throw notTrainable(`it has the operation ${node.op}`);
  }

  #takeGemm(node: GraphNode, number: number): DenseLayer {
    const plain = ["alpha", "beta"].every((name) => (node.numbers.get(name) ?? 1) === 1);
    if (!plain || (node.numbers.get("transA") ?? 0) !== 0 || node.inputs[0] !== this.#tensor) {
      throw notTrainable("it has a Gemm that is no dense layer");
    }
    const name = layerName(node.inputs[1], number);
    const kernel = this.#matrix(node.inputs[1], (node.numbers.get("transB") ?? 0) !== 0);
    const bias = node.inputs[2] ? this.#constant(node.inputs[2]).values : undefined;
    this.#goOn(node);
    return denseLayer(name, kernel, bias);
  }

  #takeMatMul(node: GraphNode, number: number): DenseLayer {
    if (node.inputs[0] !== this.#tensor) throw notTrainable("it has a MatMul that is no dense layer");
    const name = layerName(node.inputs[1], number);
    const kernel = this.#matrix(node.inputs[1], false);
    this.#goOn(node);
    const sum = this.#users()[0];
    if (sum?.op !== "Add") return denseLayer(name, kernel, undefined);
    const bias = this.#rowOf(sum);
    this.#goOn(sum);
    return denseLayer(name, kernel, bias);
  }

  /** x · sigmoid(x) is two operations on x. */
  #takeSwish(one: GraphNode, other: GraphNode, number: number): MlpLayer {
    const [gate, product] = one.op === "Sigmoid" ? [one, other] : [other, one];
    const isSwish = gate.op === "Sigmoid" && product.op === "Mul" && product.inputs.includes(gate.outputs[0] as string);
    if (!isSwish) throw notTrainable(`${one.op} and ${other.op} take the same tensor`);
    this.#goOn(product);
    return { kind: "activation", name: `activation_${number}`, activation: "swish" };
  }

  #users(): GraphNode[] {
    const users = this.#file.nodes.filter(({ inputs }) => inputs.includes(this.#tensor));
    if (users.length > 2) throw notTrainable("its layers do not follow one another");
    return users;
  }

  #goOn(node: GraphNode): void {
    this.#tensor = node.outputs[0] ?? "";
    this.#skipIdentities();
  }

  #skipIdentities(): void {
    for (let node = this.#users()[0]; node?.op === "Identity"; node = this.#users()[0])
      this.#tensor = node.outputs[0] ?? "";
  }

  #constant(name: string | undefined): GraphConstant {
    const found = this.#file.constants.get(name ?? "");
    if (found === undefined) throw notTrainable(`the weights ${name} are no float32 numbers in the file`);
    return found;
  }

  /** The constant of an operation that has one for each feature. */
  #rowOf({ op, inputs }: GraphNode): Float64Array {
    const [first, second] = inputs;
    const ordered = op === "Sub" || op === "Div"; // of x and the constant, in this order
    if (first !== this.#tensor && ordered) throw notTrainable(`its ${op} takes its input second`);
    const { dims, values } = this.#constant(first === this.#tensor ? second : first);
    if (dims.slice(0, -1).some((dim) => dim !== 1)) throw notTrainable(`its ${op} is not the same for each row`);
    return values;
  }

  #matrix(name: string | undefined, transposed: boolean): { inputs: number; outputs: number; values: Float64Array } {
    const { dims, values } = this.#constant(name);
    const [rows, columns, ...more] = dims;
    if (rows === undefined || columns === undefined || more.length > 0) throw notTrainable(`${name} is no matrix`);
    if (!transposed) return { inputs: rows, outputs: columns, values };
    const turned = new Float64Array(values.length);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++)
        turned[column * rows + row] = values[row * columns + column] as number;
    }
    return { inputs: columns, outputs: rows, values: turned };
  }
}

function denseLayer(
  name: string,
  { inputs, outputs, values }: { inputs: number; outputs: number; values: Float64Array },
  bias: Float64Array | undefined,
): DenseLayer {
  if (bias && bias.length !== outputs) throw notTrainable(`the bias of layer ${name} has another width than the layer`);
  return { kind: "dense", name, inputs, outputs, kernel: values, bias, l2: 0 };
}

/** Slipway's exports call the weights after the layer. */
function layerName(weights: string | undefined, number: number): string {
  return weights?.endsWith("/kernel") ? weights.slice(0, -"/kernel".length) : `dense_${number}`;
}

function notTrainable(reason: string): Error {
  return invalid(
    `the parent model cannot be trained on: ${reason}`,
    "Only networks of dense layers and activations are trained in process.",
  );
}
