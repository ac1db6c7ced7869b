import type { InferAnswer } from "../inference/infer.ts";
import {
  excerpt,
  type InferQuestion,
  invalidRequest,
  type NamedTensor,
  refuseParameters,
  requireDatatype,
  requireFewTensors,
  requireShape,
} from "../inference/question.ts";
import { tensorFromBytes } from "../tensors/binary.ts";
import { TensorError } from "../tensors/raw-tensor.ts";
import { contentsOf, hasContents, tensorFromContents } from "./contents.ts";
import type { InferAnswerMessage, InferQuestionMessage, Parameters } from "./messages.ts";

/** A question as gRPC has it. */
export interface GrpcQuestion extends InferQuestion {
  model: string;
  version: string;
  /** Whether the inputs came as bytes, as the outputs are answered then. */
  raw: boolean;
}

/** Reads a question. Bytes stay where they are in the message. Throws HttpError 400 naming the tensor that is wrong. */
export function readInferMessage(asked: InferQuestionMessage): GrpcQuestion {
  const { modelName, modelVersion, id, inputs, outputs, rawInputContents } = asked;
  requireFewTensors(inputs.length, "inputs");
  requireFewTensors(outputs.length, "outputs");
  const timeout = readParameters(asked.parameters);
  for (const { parameters = new Map() } of inputs) refuseParameters(parameters.keys());
  const raw = rawInputContents.length > 0;
  if (raw && rawInputContents.length !== inputs.length) {
    throw invalidRequest(`${inputs.length} inputs and ${rawInputContents.length} raw_input_contents`);
  }
  return {
    model: modelName,
    version: modelVersion,
    ...(id !== "" && { id }),
    ...(timeout > 0 && { timeoutMs: timeout / 1000 }),
    inputs: inputs.map((input, at) => readInput(input, rawInputContents[at])),
    outputs: outputs.map(({ name = "", parameters = new Map() }) => {
      refuseParameters(parameters.keys());
      const { int64, uint64 } = parameters.get("classification") ?? {};
      const classification = int64 ?? uint64 ?? 0;
      return { name, ...(classification > 0 && { classification }) };
    }),
    raw,
  };
}

/** Writes an answer: all outputs as bytes, or all as contents. */
export function writeInferMessage({ served, id = "", outputs }: InferAnswer, raw: boolean): InferAnswerMessage {
  const asBytes = raw || outputs.some(({ tensor }) => !hasContents(tensor.datatype));
  return {
    modelName: served.model.name,
    modelVersion: served.model.version,
    id,
    outputs: outputs.map(({ tensor }) => {
      const { name, datatype, shape } = tensor;
      return { name, datatype, shape, ...(!asBytes && { contents: contentsOf(tensor) }) };
    }),
    rawOutputContents: asBytes ? outputs.map(({ tensor }) => tensor.bytes) : [],
  };
}

function readInput(input: InferQuestionMessage["inputs"][number], bytes: Uint8Array | undefined): NamedTensor {
  const { name = "", contents } = input;
  const datatype = requireDatatype(name, input.datatype);
  const shape = requireShape(name, input.shape);
  try {
    if (bytes === undefined) return { name, ...tensorFromContents(datatype, shape, contents ?? {}) };
    if (contents !== undefined) throw invalidRequest(`input "${excerpt(name)}" has contents and raw_input_contents`);
    return { name, ...tensorFromBytes(datatype, shape, bytes) };
  } catch (error) {
    throw error instanceof TensorError ? invalidRequest(`input "${excerpt(name)}": ${error.message}`) : error;
  }
}

/** The microseconds that the client gives its request; 0 for no bound. */
function readParameters(parameters: Parameters): number {
  refuseParameters(parameters.keys());
  const { int64, string, uint64 } = parameters.get("sequence_id") ?? {};
  if ((int64 ?? uint64 ?? 0) !== 0 || (string ?? "") !== "") {
    throw invalidRequest(`"sequence_id": models here keep nothing between requests`);
  }
  const timeout = parameters.get("timeout");
  return timeout?.int64 ?? timeout?.uint64 ?? 0;
}
