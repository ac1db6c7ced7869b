import { type Field, fieldsOf, WireError } from "./wire.ts";

/** The messages of an ONNX file that can hold tensors or operators. */
export type Kind =
  | "model"
  | "graph"
  | "node"
  | "attribute"
  | "tensor"
  | "sparse"
  | "function"
  | "training"
  | "opset"
  | "entry"
  | "other";

/**
 * Which fields hold which messages. Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
const CHILDREN: Record<Kind, Partial<Record<number, Kind>>> = {
  model: { 7: "graph", 8: "opset", 20: "training", 25: "function" },
  graph: { 1: "node", 5: "tensor", 15: "sparse" },
  node: { 5: "attribute" },
  attribute: { 5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse" },
  sparse: { 1: "tensor", 2: "tensor" },
  function: { 7: "node", 11: "attribute" },
  training: { 1: "graph", 2: "graph" },
  tensor: { 13: "entry" },
  opset: {},
  entry: {},
  other: {},
};

/** Graphs within graphs within … deeper than any exporter's. */
const DEEPEST = 64;

/** What is told of each message: its kind, its fields, and the fields' messages by what `visit` made of them. */
export type Visit<T> = (kind: Kind, fields: { field: Field; child: T | undefined }[]) => T;

/**
 * Visits a message and all below it, inner ones first.
 * @throws WireError for bytes that are none
 */
export function visitMessage<T>(
  bytes: Uint8Array,
  visit: Visit<T>,
  kind: Kind = "model",
  from = 0,
  to: number = bytes.length,
  depth = 0,
): T {
  if (depth > DEEPEST) throw new WireError("its graphs are nested too deeply");
  const fields: { field: Field; child: T | undefined }[] = [];
  for (const field of fieldsOf(bytes, from, to)) {
    const inner = CHILDREN[kind][field.number];
    if (inner !== undefined && !field.isDelimited) throw new WireError(`field ${field.number} is no ${inner}`);
    const child = inner && visitMessage(bytes, visit, inner, field.start, field.end, depth + 1);
    fields.push({ field, child });
  }
  return visit(kind, fields);
}
