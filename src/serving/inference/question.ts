import { shortened } from "../../common/text.ts";
import { HttpError } from "../frontend/errors.ts";
import { DATATYPES, type Datatype } from "../tensors/datatypes.ts";
import type { RawTensor } from "../tensors/raw-tensor.ts";

/** A tensor with the name that the model has for it. */
export interface NamedTensor extends RawTensor {
  name: string;
}

/** An output that is asked for. */
export interface WantedOutput {
  name: string;
  /** As so many of the largest values with their places, instead of the tensor itself. */
  classification?: number;
  /** As bytes behind the JSON; undefined where the request's own choice counts. */
  binary?: boolean;
}

/** What a client asks of a model, in whatever form it was written. */
export interface InferQuestion {
  id?: string;
  inputs: NamedTensor[];
  /** Absent or empty: all. */
  outputs?: WantedOutput[];
  /** Milliseconds that the client waits. */
  timeoutMs?: number;
  /** Names the question for good: asked again, a durable model gives the same answer. */
  key?: string | undefined;
}

const MOST_TENSORS = 256;
const HIGHEST_RANK = 16;
/** Sizes are 32 bits wide on the way to a runtime, and signed in some of ONNX Runtime's operators. */
const LARGEST_DIMENSION = 0x7fff_ffff;

/** A request that the protocol or the model does not allow. */
export function invalidRequest(reason: string): HttpError {
  return new HttpError(400, "REQUEST_INVALID", reason);
}

/** Throws HttpError 400 for more tensors than any model has. */
export function requireFewTensors(count: number, what: "inputs" | "outputs"): void {
  if (count > MOST_TENSORS) throw invalidRequest(`there are ${count} ${what}; at most ${MOST_TENSORS} are read`);
}

/** The name of one of the protocol's datatypes. Throws HttpError 400. */
export function requireDatatype(name: string, datatype: unknown): Datatype {
  if (DATATYPES.includes(datatype as Datatype)) return datatype as Datatype;
  const what = typeof datatype === "string" ? `"${excerpt(datatype)}"` : "what is no text";
  throw invalidRequest(`input "${excerpt(name)}": ${what} is no datatype of the protocol`);
}

/** A tensor's shape: whole numbers from 0 up, not too many. Throws HttpError 400. */
export function requireShape(name: string, shape: unknown): number[] {
  if (!Array.isArray(shape)) throw invalidRequest(`input "${excerpt(name)}": the shape is no list`);
  if (shape.length > HIGHEST_RANK) {
    throw invalidRequest(`input "${excerpt(name)}": ${shape.length} dimensions; at most ${HIGHEST_RANK} are taken`);
  }
  for (const size of shape) {
    if (!Number.isInteger(size) || size < 0 || size > LARGEST_DIMENSION) {
      throw invalidRequest(`input "${excerpt(name)}": the shape has a dimension that is none`);
    }
  }
  return shape;
}

/** Parameters that ask for what is not served. Throws HttpError 400 naming the first one. */
export function refuseParameters(names: Iterable<string>): void {
  for (const name of names) {
    if (name.startsWith("shared_memory_")) {
      throw invalidRequest(`"${excerpt(name)}": tensors in shared memory are not served`);
    }
  }
}

/** The caller's own text in a message, cut short. */
export function excerpt(text: string): string {
  return shortened(text, 60);
}
