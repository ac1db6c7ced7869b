import type { OnnxAttribute, OnnxGraph, OnnxNode, OnnxTensor, OnnxType } from "../onnx-writer.ts";

/** A row's axes, without the axis of the rows; null is an axis whose length differs from request to request. */
export type Shape = (number | null)[];

/** A tensor while a network is converted. */
export interface Value {
  /** Its name in the ONNX graph. */
  tensor: string;
  shape: Shape;
  type: OnnxType;
  /** The activation that made it, where that tells how its numbers are meant: probabilities of one thing, or of classes. */
  meaning?: "sigmoid" | "softmax" | undefined;
  /** Whether Keras would send a mask along: which steps of a sequence are padding. */
  masked?: boolean;
}

/** An ONNX graph that grows, with names that do not clash. */
export class GraphBuilder {
  readonly nodes: OnnxNode[] = [];
  readonly constants: OnnxTensor[] = [];
  private readonly names = new Set<string>();
  private scope = "";

  /** Names what follows after a layer. */
  enter(scope: string): void {
    this.scope = scope;
  }

  /** Takes a name for a tensor that is not made here, such as an input. */
  reserve(name: string): string {
    this.names.add(name);
    return name;
  }

  /** Adds an operation and answers the tensor that it makes. */
  add(op: string, inputs: string[], attributes?: Record<string, OnnxAttribute>): string {
    const output = this.named(op);
    this.nodes.push({ op, inputs, outputs: [output], ...(attributes && { attributes }) });
    return output;
  }

  /** Adds an operation of which only one of several outputs is wanted. */
  addForOutput(index: number, op: string, inputs: string[], attributes: Record<string, OnnxAttribute>): string {
    const output = this.named(op);
    this.nodes.push({ op, inputs, outputs: [...Array<string>(index).fill(""), output], attributes });
    return output;
  }

  /** Gives a tensor the name by which the network's users know it. */
  rename(tensor: string, name: string): void {
    this.nodes.push({ op: "Identity", inputs: [tensor], outputs: [name] });
  }

  floats(values: ArrayLike<number>, dims: number[], name = "constant"): string {
    const tensor = this.named(name);
    this.constants.push({
      name: tensor,
      dims,
      values: values instanceof Float32Array ? values : Float32Array.from(values),
    });
    return tensor;
  }

  scalar(value: number): string {
    return this.floats([value], []);
  }

  /** A list of whole numbers: axes, lengths, indices. */
  integers(values: number[]): string {
    const tensor = this.named("integers");
    this.constants.push({ name: tensor, dims: [values.length], values: BigInt64Array.from(values, BigInt) });
    return tensor;
  }

  /** The finished graph. */
  graph(parts: Pick<OnnxGraph, "name" | "inputs" | "outputs">): OnnxGraph {
    return { ...parts, nodes: this.nodes, constants: this.constants };
  }

  private named(what: string): string {
    const base = this.scope === "" ? what : `${this.scope}/${what}`;
    let name = base;
    for (let count = 2; this.names.has(name); count++) name = `${base}_${count}`;
    this.names.add(name);
    return name;
  }
}
