import jspb from "google-protobuf";

/** An operation of the default operator set with one output tensor. */
export interface OnnxNode {
  op: string;
  inputs: string[];
  output: string;
}

/** A constant float32 tensor, row-major. */
export interface OnnxTensor {
  name: string;
  dims: number[];
  values: Float32Array;
}

/** A network from one float32 matrix `[rows, width]` to another; the number of rows is free. */
export interface OnnxGraph {
  name: string;
  input: { name: string; width: number };
  output: { name: string; width: number };
  nodes: OnnxNode[];
  constants: OnnxTensor[];
}

const IR_VERSION = 7; // of ONNX 1.8, which brought operator set 13
const OPERATOR_SET = 13;
const FLOAT = 1; // TensorProto.DataType.FLOAT

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
  for (const { op, inputs, output } of graph.nodes) {
    message(writer, 1, (w) => {
      for (const input of inputs) w.writeString(1, input);
      w.writeString(2, output);
      w.writeString(3, output); // a node is known by the tensor that it makes
      w.writeString(4, op);
    });
  }
  writer.writeString(2, graph.name);
  for (const { name, dims, values } of graph.constants) {
    message(writer, 5, (w) => {
      for (const dim of dims) w.writeInt64(1, dim);
      w.writeInt32(2, FLOAT);
      w.writeString(8, name);
      // raw_data is little-endian, as are all platforms that ONNX Runtime's package supports
      w.writeBytes(9, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    });
  }
  message(writer, 11, (w) => encodeMatrix(w, graph.input));
  message(writer, 12, (w) => encodeMatrix(w, graph.output));
}

/** A ValueInfoProto of shape `[rows, width]`. */
function encodeMatrix(writer: jspb.BinaryWriter, { name, width }: { name: string; width: number }): void {
  writer.writeString(1, name);
  message(writer, 2, (type) =>
    message(type, 1, (tensor) => {
      tensor.writeInt32(1, FLOAT);
      message(tensor, 2, (shape) => {
        message(shape, 1, (dim) => dim.writeString(2, "rows"));
        message(shape, 1, (dim) => dim.writeInt64(1, width));
      });
    }),
  );
}

/** Writes a nested message; `body` writes its fields to the same writer. */
function message(writer: jspb.BinaryWriter, field: number, body: (writer: jspb.BinaryWriter) => void): void {
  writer.writeMessage(field, body, () => body(writer));
}
