import jspb from "google-protobuf";

/** An operator's attribute. Whole numbers and floats are different types in ONNX: a float is written `{ float: 1 }`. */
export type OnnxAttribute =
  | number
  | string
  | number[]
  | { float: number }
  | { floats: number[] }
  | { strings: string[] };

/** An operation of the default operator set. An input or output that is left out is the empty name. */
export interface OnnxNode {
  op: string;
  inputs: string[];
  outputs: string[];
  attributes?: Record<string, OnnxAttribute>;
}

/** A constant tensor, row-major: float32, or int64 where an operator takes numbers of elements, axes or indices. */
export interface OnnxTensor {
  name: string;
  dims: number[];
  values: Float32Array | BigInt64Array;
}

/** Element types of inputs and outputs: numbers of ONNX' TensorProto.DataType. */
const ONNX_TYPE = { FP32: 1, UINT8: 2, INT32: 6, INT64: 7 } as const;
export type OnnxType = keyof typeof ONNX_TYPE;

/** A tensor that goes in or comes out. The first axis is the rows; an axis of open length is null. */
export interface OnnxValue {
  name: string;
  type: OnnxType;
  /** Without the rows. */
  shape: (number | null)[];
}

export interface OnnxGraph {
  name: string;
  inputs: OnnxValue[];
  outputs: OnnxValue[];
  nodes: OnnxNode[];
  constants: OnnxTensor[];
}

const IR_VERSION = 7; // of ONNX 1.8, which brought operator set 13
const OPERATOR_SET = 13;

/** The graph as an ONNX file. Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto */
export function encodeOnnx(graph: OnnxGraph): Uint8Array {
  const writer = new jspb.BinaryWriter();
  writer.writeInt64(1, IR_VERSION);
  writer.writeString(2, "slipway");
  message(writer, 7, (w) => encodeGraph(w, graph));
  message(writer, 8, (w) => w.writeInt64(2, OPERATOR_SET));
  return writer.getResultBuffer();
}

function encodeGraph(writer: jspb.BinaryWriter, graph: OnnxGraph): void {
  for (const node of graph.nodes) message(writer, 1, (w) => encodeNode(w, node));
  writer.writeString(2, graph.name);
  for (const { name, dims, values } of graph.constants) {
    message(writer, 5, (w) => {
      for (const dim of dims) w.writeInt64(1, dim);
      w.writeInt32(2, values instanceof Float32Array ? ONNX_TYPE.FP32 : ONNX_TYPE.INT64);
      w.writeString(8, name);
      // raw_data is little-endian, as are all platforms that ONNX Runtime's package supports
      w.writeBytes(9, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    });
  }
  for (const input of graph.inputs) message(writer, 11, (w) => encodeValue(w, input));
  for (const output of graph.outputs) message(writer, 12, (w) => encodeValue(w, output));
}

function encodeNode(writer: jspb.BinaryWriter, { op, inputs, outputs, attributes = {} }: OnnxNode): void {
  for (const input of inputs) writer.writeString(1, input);
  for (const output of outputs) writer.writeString(2, output);
  writer.writeString(3, outputs.find((output) => output !== "") ?? op); // a node is known by the tensor that it makes
  writer.writeString(4, op);
  for (const [name, value] of Object.entries(attributes)) {
    message(writer, 5, (w) => {
      w.writeString(1, name);
      encodeAttribute(w, value);
    });
  }
}

function encodeAttribute(writer: jspb.BinaryWriter, value: OnnxAttribute): void {
  const typed = (type: number) => writer.writeInt32(20, type); // AttributeProto.AttributeType
  if (typeof value === "number") {
    writer.writeInt64(3, value);
    typed(2);
  } else if (typeof value === "string") {
    writer.writeBytes(4, Buffer.from(value));
    typed(3);
  } else if (Array.isArray(value)) {
    for (const item of value) writer.writeInt64(8, item);
    typed(7);
  } else if ("float" in value) {
    writer.writeFloat(2, Math.fround(value.float)); // the library does not round, but refuses what is too large
    typed(1);
  } else if ("floats" in value) {
    for (const item of value.floats) writer.writeFloat(7, Math.fround(item));
    typed(6);
  } else {
    for (const item of value.strings) writer.writeBytes(9, Buffer.from(item));
    typed(8);
  }
}

/** A ValueInfoProto. */
function encodeValue(writer: jspb.BinaryWriter, { name, type, shape }: OnnxValue): void {
  writer.writeString(1, name);
  message(writer, 2, (w) =>
    message(w, 1, (tensor) => {
      tensor.writeInt32(1, ONNX_TYPE[type]);
      message(tensor, 2, (dims) => {
        message(dims, 1, (dim) => dim.writeString(2, "rows"));
        for (const [axis, size] of shape.entries()) {
          message(dims, 1, (dim) =>
            size === null ? dim.writeString(2, `${name}_axis_${axis + 1}`) : dim.writeInt64(1, size),
          );
        }
      });
    }),
  );
}

/** Writes a nested message; `body` writes its fields to the same writer. */
function message(writer: jspb.BinaryWriter, field: number, body: (writer: jspb.BinaryWriter) => void): void {
  writer.writeMessage(field, body, () => body(writer));
}
