import { messageOf } from "../../../common/errors.ts";
import {
  excerpt,
  type InferQuestion,
  invalidRequest,
  type NamedTensor,
  refuseParameters,
  requireDatatype,
  requireFewTensors,
  requireShape,
  type WantedOutput,
} from "../../inference/question.ts";
import type { ModelCard } from "../../models/card.ts";
import { tensorFromBytes } from "../../tensors/binary.ts";
import { elementBytes } from "../../tensors/datatypes.ts";
import { tensorFromJson } from "../../tensors/json.ts";
import { elementsIn, joinElements, TensorError } from "../../tensors/raw-tensor.ts";

type Json = Record<string, unknown>;

/** The number of JSON bytes that a request with binary tensors begins with. */
export const JSON_LENGTH_HEADER = "inference-header-content-length";

/** A question as REST has it. */
export interface RestQuestion extends InferQuestion {
  /** Whether outputs are wanted as bytes where they do not say. */
  binaryOutputs: boolean;
}

/**
 * Reads an inference request: JSON, or JSON of the length that the header tells and behind it the bytes of the tensors that have a
 * `binary_data_size`, in their order. Nothing is copied of them. A header of 0: the body is the model's one input, and nothing else.
 * @throws HttpError 400 naming the tensor that is wrong
 */
export function readInferBody(body: Buffer, header: string | undefined, card: ModelCard): RestQuestion {
  if (header === undefined) return readQuestion(body, Buffer.alloc(0));
  const length = /^\d{1,15}$/.test(header) ? Number(header) : Number.NaN;
  if (!(length <= body.length)) {
    throw invalidRequest(`Inference-Header-Content-Length is "${excerpt(header)}", the body has ${body.length} bytes`);
  }
  if (length === 0) return { inputs: [bareInput(body, card)], binaryOutputs: true };
  return readQuestion(body.subarray(0, length), body.subarray(length));
}

function parseJson(text: string, reviver?: Reviver): unknown {
  try {
    return JSON.parse(text, reviver);
  } catch (error) {
    throw invalidRequest(`the request is not JSON: ${excerpt(messageOf(error))}`);
  }
}

type Reviver = (key: string, value: unknown, context?: { source?: string }) => unknown;

/** Whole numbers that JavaScript's have no room for, as texts. */
const exactly: Reviver = (_key, value, context) => {
  const isLong = typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? "");
  return isLong ? context?.source : value;
};

function readQuestion(json: Buffer, binary: Buffer): RestQuestion {
  const text = json.toString("utf8");
  const request = parseJson(text);
  // read once more, and more slowly, only for whole numbers beyond 2⁵³
  let again: { inputs: { data: unknown }[] } | undefined;
  const exactData = (place: number) => {
    again ??= parseJson(text, exactly) as NonNullable<typeof again>;
    return again.inputs[place]?.data;
  };
  if (!isObject(request)) throw invalidRequest("the request is no JSON object");
  const { id, inputs, outputs } = request;
  if (id !== undefined && typeof id !== "string") throw invalidRequest("the id is no text");
  if (!Array.isArray(inputs) || inputs.length === 0) throw invalidRequest("the request has no inputs");
  requireFewTensors(inputs.length, "inputs");
  const parameters = parametersOf(request, "the request");
  const binaryOutputs = parameters.binary_data_output ?? false;
  if (typeof binaryOutputs !== "boolean") throw invalidRequest(`"binary_data_output" is neither true nor false`);
  const { sequence_id: sequence, timeout } = parameters;
  if (sequence !== undefined && sequence !== 0 && sequence !== "") {
    throw invalidRequest(`"sequence_id": models here keep nothing between requests`);
  }
  let at = 0;
  const take = (size: number, name: string): Buffer => {
    if (size > binary.length - at) {
      throw invalidRequest(`input "${excerpt(name)}": ${binary.length - at} bytes are left for its ${size}`);
    }
    at += size;
    return binary.subarray(at - size, at);
  };
  const tensors = inputs.map((input, place) => readInput(input, take, () => exactData(place)));
  if (at !== binary.length) throw invalidRequest(`${binary.length - at} bytes belong to no input`);
  return {
    ...(id !== undefined && { id }),
    ...(typeof timeout === "number" && timeout > 0 && { timeoutMs: timeout / 1000 }),
    inputs: tensors,
    ...(outputs !== undefined && { outputs: readOutputs(outputs) }),
    binaryOutputs,
  };
}

function readInput(
  input: unknown,
  take: (size: number, name: string) => Buffer,
  exactData: () => unknown,
): NamedTensor {
  if (!isObject(input)) throw invalidRequest("an input is no JSON object");
  const { name, data } = input;
  if (typeof name !== "string") throw invalidRequest("an input has no name");
  const datatype = requireDatatype(name, input.datatype);
  const shape = requireShape(name, input.shape);
  const size = parametersOf(input, `input "${excerpt(name)}"`).binary_data_size;
  try {
    if (size === undefined) {
      const isLong = datatype === "INT64" || datatype === "UINT64";
      const { bytes } = tensorFromJson(datatype, shape, isLong && hasLongNumbers(data) ? exactData() : data);
      return { name, datatype, shape, bytes };
    }
    if (data !== undefined) throw invalidRequest(`input "${excerpt(name)}" has data and binary_data_size`);
    if (!Number.isSafeInteger(size) || (size as number) < 0) {
      throw invalidRequest(`input "${excerpt(name)}": binary_data_size is no number of bytes`);
    }
    const { bytes } = tensorFromBytes(datatype, shape, take(size as number, name));
    return { name, datatype, shape, bytes };
  } catch (error) {
    throw asInvalid(name, error);
  }
}

function hasLongNumbers(data: unknown, depth = 0): boolean {
  if (!Array.isArray(data)) return typeof data === "number" && Number.isInteger(data) && !Number.isSafeInteger(data);
  if (depth > DEEPEST) return false;
  for (const inner of data) if (hasLongNumbers(inner, depth + 1)) return true;
  return false;
}

/** Dimensions that any tensor has. */
const DEEPEST = 16;

function readOutputs(outputs: unknown): WantedOutput[] {
  if (!Array.isArray(outputs)) throw invalidRequest("the outputs are no list");
  requireFewTensors(outputs.length, "outputs");
  return outputs.map((output) => {
    if (!isObject(output) || typeof output.name !== "string") throw invalidRequest("an output has no name");
    const what = `output "${excerpt(output.name)}"`;
    const { binary_data: binary, classification } = parametersOf(output, what);
    if (binary !== undefined && typeof binary !== "boolean") {
      throw invalidRequest(`${what}: "binary_data" is neither true nor false`);
    }
    if (classification !== undefined && !(Number.isSafeInteger(classification) && (classification as number) >= 0)) {
      throw invalidRequest(`${what}: "classification" is no number of classes`);
    }
    return {
      name: output.name,
      ...(binary !== undefined && { binary }),
      ...(typeof classification === "number" && classification > 0 && { classification }),
    };
  });
}

function parametersOf({ parameters }: Json, what: string): Json {
  if (parameters === undefined) return {};
  if (!isObject(parameters)) throw invalidRequest(`${what}: the parameters are no JSON object`);
  refuseParameters(Object.keys(parameters));
  return parameters;
}

/** A body that is the model's one input: the size of at most one free dimension follows from its length; rows count as one. */
function bareInput(body: Buffer, { inputs, batching }: ModelCard): NamedTensor {
  const [spec] = inputs;
  if (spec === undefined || inputs.length !== 1) {
    throw invalidRequest(`a body of bytes alone is for models of one input; this one has ${inputs.length}`);
  }
  const { name, datatype } = spec;
  const shape = spec.shape.map((size, axis) => (axis === 0 && batching ? 1 : size));
  const free = shape.indexOf(-1);
  const size = elementBytes(datatype);
  // a body of text is one element
  const bytes = size === undefined ? joinElements([body]) : body;
  if (free !== -1) {
    const others = elementsIn(shape.filter((_, axis) => axis !== free));
    if (shape.lastIndexOf(-1) !== free || others < 1) throw invalidRequest(`input "${name}": its shape must be told`);
    shape[free] = size === undefined ? 1 : body.length / size / others;
    requireShape(name, shape);
  }
  try {
    return { name, ...tensorFromBytes(datatype, shape, bytes) };
  } catch (error) {
    throw asInvalid(name, error);
  }
}

function asInvalid(name: string, error: unknown): unknown {
  return error instanceof TensorError ? invalidRequest(`input "${excerpt(name)}": ${error.message}`) : error;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
