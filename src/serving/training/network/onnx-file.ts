import jspb from "google-protobuf";
import { messageOf, SlipwayError } from "../../../common/errors.ts";

/** An operation of an ONNX graph. */
export interface GraphNode {
  op: string;
  inputs: string[];
  outputs: string[];
  /** Attributes that are numbers. */
  numbers: ReadonlyMap<string, number>;
}

/** A constant tensor of floating-point numbers, row-major. */
export interface GraphConstant {
  dims: number[];
  values: Float64Array;
}

/** What an ONNX file computes, as far as feed-forward networks need it. */
export interface OnnxFile {
  nodes: GraphNode[];
  /** Constants that are float32 and lie in the file. */
  constants: ReadonlyMap<string, GraphConstant>;
  /** Inputs that are no constants. */
  inputs: string[];
  outputs: string[];
}

const FLOAT = 1; // TensorProto.DataType.FLOAT

/**
 * Reads an ONNX file. Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 * @throws SlipwayError E_MODEL_INVALID when it is none
 */
export function readOnnxFile(bytes: Uint8Array): OnnxFile {
  const nodes: GraphNode[] = [];
  const constants = new Map<string, GraphConstant>();
  const [inputs, outputs]: string[][] = [[], []];
  try {
    eachField(new jspb.BinaryReader(bytes), {
      7: (model) =>
        nested(model, {
          1: (graph) => nodes.push(readNode(graph)),
          5: (graph) => readConstant(graph, constants),
          11: (graph) => inputs?.push(readName(graph)),
          12: (graph) => outputs?.push(readName(graph)),
        }),
    });
  } catch (error) {
    throw new SlipwayError("E_MODEL_INVALID", `the ONNX file cannot be read: ${messageOf(error)}`, { cause: error });
  }
  return { nodes, constants, inputs: (inputs ?? []).filter((name) => !constants.has(name)), outputs: outputs ?? [] };
}

type Fields = Record<number, (reader: jspb.BinaryReader) => unknown>;

/** Reads the fields that are listed and skips all others. */
function eachField(reader: jspb.BinaryReader, fields: Fields): void {
  while (reader.nextField() && !reader.isEndGroup()) {
    const read = fields[reader.getFieldNumber()];
    if (read) read(reader);
    else reader.skipField();
  }
}

function nested(reader: jspb.BinaryReader, fields: Fields): void {
  reader.readMessage({}, () => eachField(reader, fields));
}

function readNode(reader: jspb.BinaryReader): GraphNode {
  const numbers = new Map<string, number>();
  const node = { op: "", inputs: [] as string[], outputs: [] as string[], numbers };
  nested(reader, {
    1: (r) => node.inputs.push(r.readString()),
    2: (r) => node.outputs.push(r.readString()),
    4: (r) => {
      node.op = r.readString();
    },
    5: (r) => {
      let name = "";
      let value: number | undefined;
      nested(r, {
        1: (a) => {
          name = a.readString();
        },
        2: (a) => {
          value = a.readFloat();
        },
        3: (a) => {
          value = a.readInt64();
        },
      });
      if (value !== undefined) numbers.set(name, value);
    },
  });
  return node;
}

function readConstant(reader: jspb.BinaryReader, constants: Map<string, GraphConstant>): void {
  const dims: number[] = [];
  const numbers: number[] = [];
  let [name, type, raw]: [string, number, Uint8Array | undefined] = ["", 0, undefined];
  nested(reader, {
    1: (r) => (r.isDelimited() ? dims.push(...r.readPackedInt64()) : dims.push(r.readInt64())),
    2: (r) => {
      type = r.readInt32();
    },
    4: (r) => (r.isDelimited() ? numbers.push(...r.readPackedFloat()) : numbers.push(r.readFloat())),
    8: (r) => {
      name = r.readString();
    },
    9: (r) => {
      raw = r.readBytes() as Uint8Array;
    },
  });
  const values = raw === undefined ? Float64Array.from(numbers) : singlePrecision(raw);
  if (type !== FLOAT || values.length !== dims.reduce((product, dim) => product * dim, 1)) return;
  constants.set(name, { dims, values });
}

function singlePrecision(raw: Uint8Array): Float64Array {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  return Float64Array.from({ length: Math.floor(raw.byteLength / 4) }, (_, i) => view.getFloat32(4 * i, true));
}

function readName(reader: jspb.BinaryReader): string {
  let name = "";
  nested(reader, {
    1: (r) => {
      name = r.readString();
    },
  });
  return name;
}
