import { visitMessage } from "./structure.ts";
import { type Field, textOf, WireError } from "./wire.ts";

/** Where a tensor's data lies that is not in the file. */
export interface ExternalTensor {
  name: string;
  /** As the file names it. */
  location: string;
  offset: number;
  /** To the end of what lies there unless told otherwise. */
  length: number | undefined;
}

export interface Operator {
  type: string;
  /** Empty for ONNX' own. */
  domain: string;
  inputs: string[];
  outputs: string[];
}

/** What an ONNX file says of itself, read without ONNX Runtime. */
export interface OnnxOutline {
  external: ExternalTensor[];
  /** All operators, those of inner graphs and of functions included. */
  operators: Operator[];
  /** Of the graph alone. */
  graph: { operators: Operator[]; inputs: string[]; outputs: string[] };
  /** The file's own functions, `domain:name`. */
  functions: Set<string>;
}

/** What comes up from below a message. */
interface Found {
  external: ExternalTensor[];
  operators: Operator[];
  graph?: OnnxOutline["graph"];
  functions: string[];
  /** Of an entry of a tensor's place. */
  entry?: readonly [string, string];
  /** Of a node. */
  operator?: Operator;
}

const EXTERNAL = 1; // TensorProto.DataLocation.EXTERNAL

/** Reads what a file holds. Throws {@link WireError} for bytes that are no ONNX file. */
export function outlineOf(bytes: Uint8Array): OnnxOutline {
  const text = (field: Field) => textOf(bytes, field);
  const found = visitMessage<Found>(bytes, (kind, fields) => {
    const below: Found = { external: [], operators: [], functions: [] };
    const children = fields.flatMap(({ child }) => (child ? [child] : []));
    for (const child of children) {
      for (const one of child.external) below.external.push(one);
      for (const one of child.operators) below.operators.push(one);
      below.functions.push(...child.functions);
    }
    const textsAt = (number: number) =>
      fields.filter(({ field }) => field.number === number && field.isDelimited).map(({ field }) => text(field));
    switch (kind) {
      case "model": {
        const graph = children.find((child) => child.graph)?.graph;
        return { ...below, ...(graph && { graph }) };
      }
      case "graph": {
        const names = (number: number) =>
          fields.filter(({ field }) => field.number === number && field.isDelimited).map(({ field }) => nameIn(field));
        const operators = children.flatMap(({ operator }) => (operator ? [operator] : []));
        return { ...below, graph: { operators, inputs: names(11), outputs: names(12) } };
      }
      case "node": {
        const operator = {
          type: textsAt(4)[0] ?? "",
          domain: textsAt(7)[0] ?? "",
          inputs: textsAt(1),
          outputs: textsAt(2),
        };
        return { ...below, operators: [operator, ...below.operators], operator };
      }
      case "function":
        return { ...below, functions: [`${textsAt(10)[0] ?? ""}:${textsAt(1)[0] ?? ""}`] };
      case "entry":
        return { ...below, entry: [textsAt(1)[0] ?? "", textsAt(2)[0] ?? ""] };
      case "tensor": {
        const entries = children.flatMap(({ entry }) => (entry ? [entry] : []));
        const isExternal = fields.some(({ field }) => field.number === 14 && field.value === EXTERNAL);
        if (!isExternal && entries.length === 0) return below;
        return { ...below, external: [placeOf(textsAt(8)[0] ?? "", new Map(entries))] };
      }
      default:
        return below;
    }
  });
  if (found.graph === undefined) throw new WireError("it holds no graph");
  return { ...found, graph: found.graph, functions: new Set(found.functions) };

  function nameIn({ start, end }: Field): string {
    return visitMessage(
      bytes,
      (_kind, fields) => {
        const name = fields.find(({ field }) => field.number === 1 && field.isDelimited);
        return name ? text(name.field) : "";
      },
      "other",
      start,
      end,
    );
  }
}

function placeOf(name: string, entries: Map<string, string>): ExternalTensor {
  const number = (key: string) => {
    const value = entries.get(key);
    if (value !== undefined && !/^\d{1,15}$/.test(value)) throw new WireError(`tensor ${name}: ${key} is no number`);
    return value === undefined ? undefined : Number(value);
  };
  return { name, location: entries.get("location") ?? "", offset: number("offset") ?? 0, length: number("length") };
}
