import type { InferAnswer } from "../../inference/infer.ts";
import { jsonElements } from "../../tensors/json.ts";

/** An answer's bytes; `jsonLength` where tensors' bytes follow the JSON. */
export interface WrittenAnswer {
  body: string | Buffer;
  jsonLength: number | undefined;
}

/** Writes an answer as REST has it: each output as JSON, or as bytes behind the JSON where that was asked for. */
export function writeInferAnswer({ served, id, outputs }: InferAnswer, binaryOutputs: boolean): WrittenAnswer {
  const binary: Uint8Array[] = [];
  const json = JSON.stringify({
    model_name: served.model.name,
    model_version: served.model.version,
    ...(id !== undefined && { id }),
    outputs: outputs.map(({ tensor, wanted }) => {
      const { name, datatype, shape, bytes } = tensor;
      if (!(wanted?.binary ?? binaryOutputs)) return { name, datatype, shape, data: jsonElements(tensor) };
      binary.push(bytes);
      return { name, datatype, shape, parameters: { binary_data_size: bytes.length } };
    }),
  });
  if (binary.length === 0) return { body: json, jsonLength: undefined };
  const head = Buffer.from(json);
  return { body: Buffer.concat([head, ...binary]), jsonLength: head.length };
}
