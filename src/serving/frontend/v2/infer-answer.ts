import type { InferAnswer } from "../../inference/infer.ts";
import { jsonElements } from "../../tensors/json.ts";
import type { RawTensor } from "../../tensors/raw-tensor.ts";

/** An answer's bytes; `jsonLength` where tensors' bytes follow the JSON. */
export interface WrittenAnswer {
  body: Buffer;
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
      if (!(wanted?.binary ?? binaryOutputs)) return { name, datatype, shape, data: jsonData(tensor) };
      binary.push(bytes);
      return { name, datatype, shape, parameters: { binary_data_size: bytes.length } };
    }),
  });
  const head = Buffer.from(json);
  if (binary.length === 0) return { body: head, jsonLength: undefined };
  return { body: Buffer.concat([head, ...binary]), jsonLength: head.length };
}

/** The elements as JSON writes them; 64-bit numbers with all their digits. */
function jsonData(tensor: RawTensor): unknown[] {
  const data = jsonElements(tensor);
  if (tensor.datatype !== "INT64" && tensor.datatype !== "UINT64") return data;
  return data.map((value) => (typeof value === "string" ? rawJson(value) : value));
}

/** Text that `JSON.stringify` writes as it is: https://tc39.es/proposal-json-parse-with-source/ */
const { rawJSON: rawJson } = JSON as unknown as { rawJSON: (text: string) => unknown };
