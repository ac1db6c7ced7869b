import jspb from "google-protobuf";

/** A tensor of float32 numbers, in the file or in another one. */
export interface TestTensor {
  name: string;
  dims: number[];
  values?: number[];
  external?: Record<string, string>;
}

export interface TestNode {
  op: string;
  domain?: string;
  inputs: string[];
  output: string;
  /** An attribute `value` that is a tensor. */
  value?: TestTensor;
}

interface TestFile {
  nodes: TestNode[];
  tensors?: TestTensor[];
  features: number;
  width: number;
  /** Operator sets besides ONNX' own. */
  domains?: string[];
}

/**
 * An ONNX file from one matrix `x` to another `y`, written with another library than the code that reads it.
 * Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
export function onnxFile({ nodes, tensors = [], features, width, domains = [] }: TestFile): Uint8Array {
  const writer = new jspb.BinaryWriter();
  const nested = (number: number, body: () => void) => writer.writeMessage(number, {}, body);
  const tensor = ({ name, dims, values, external }: TestTensor) => {
    for (const dim of dims) writer.writeInt64(1, dim);
    writer.writeInt32(2, 1);
    writer.writeString(8, name);
    if (values) writer.writeBytes(9, new Uint8Array(Float32Array.from(values).buffer));
    for (const [key, value] of Object.entries(external ?? {})) {
      nested(13, () => {
        writer.writeString(1, key);
        writer.writeString(2, value);
      });
    }
    if (external) writer.writeInt32(14, 1);
  };
  const matrix = (name: string, columns: number) => {
    writer.writeString(1, name);
    nested(2, () =>
      nested(1, () => {
        writer.writeInt32(1, 1);
        nested(2, () => {
          nested(1, () => writer.writeString(2, "rows"));
          nested(1, () => writer.writeInt64(1, columns));
        });
      }),
    );
  };
  writer.writeInt64(1, 7);
  nested(7, () => {
    for (const { op, domain, inputs, output, value } of nodes) {
      nested(1, () => {
        for (const input of inputs) writer.writeString(1, input);
        writer.writeString(2, output);
        writer.writeString(4, op);
        if (value) {
          nested(5, () => {
            writer.writeString(1, "value");
            nested(5, () => tensor(value));
            writer.writeInt32(20, 4); // AttributeType.TENSOR
          });
        }
        if (domain !== undefined) writer.writeString(7, domain);
      });
    }
    writer.writeString(2, "graph");
    for (const one of tensors) nested(5, () => tensor(one));
    nested(11, () => matrix("x", features));
    nested(12, () => matrix("y", width));
  });
  for (const [domain, version] of [["", 13] as const, ...domains.map((name) => [name, 1] as const)]) {
    nested(8, () => {
      writer.writeString(1, domain);
      writer.writeInt64(2, version);
    });
  }
  return writer.getResultBuffer();
}
