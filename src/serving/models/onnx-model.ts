import type { InferenceSession, Tensor } from "onnxruntime-node";
import { messageOf } from "../../common/errors.ts";
import type { Datatype, NumericArray, NumericDatatype } from "../tensors/datatypes.ts";
import { elementsOf, numbersIn, type RawTensor, tensorOf, textTensor } from "../tensors/raw-tensor.ts";
import type { TensorSpec } from "./card.ts";
import { requireSound } from "./onnx-file/check.ts";
import { invalidOnnx } from "./onnx-file/invalid.ts";

/** A model that is loaded and can compute. */
export interface LoadedModel {
  inputs: TensorSpec[];
  outputs: TensorSpec[];
  /** Computes the outputs from the inputs, both in the order of their specs. */
  run(inputs: RawTensor[]): Promise<RawTensor[]>;
  close(): Promise<void>;
}

/** What computes: CUDA where it was asked for and its libraries and a device are there, else the processor. */
export interface Provider {
  provider: "cpu" | "cuda";
  /** Why it is not CUDA although that was asked for. */
  note?: string;
}

/** A model in ONNX Runtime. `run` blocks the thread while it computes. */
export interface OnnxModel extends LoadedModel, Provider {
  /** Whether every tensor's first axis is free and has one name: it may count rows. */
  mayBatch: boolean;
  /** ONNX Runtime's version. */
  runtimeVersion: string;
}

/** How a model is loaded. */
export interface OnnxOptions {
  /** Threads that share one batch; 1 unless told otherwise. */
  threads?: number;
  /** `auto` takes CUDA where it works; `cuda` fails where it does not; the processor unless told otherwise. */
  device?: "auto" | "cpu" | "cuda";
  /** Of the CUDA device. */
  deviceId?: number;
}

type OrtType = Tensor.Type;

const ortTypes: Record<Datatype, OrtType> = {
  BOOL: "bool",
  UINT8: "uint8",
  UINT16: "uint16",
  UINT32: "uint32",
  UINT64: "uint64",
  INT8: "int8",
  INT16: "int16",
  INT32: "int32",
  INT64: "int64",
  FP16: "float16",
  FP32: "float32",
  FP64: "float64",
  BYTES: "string",
};
const datatypes = new Map(Object.entries(ortTypes).map(([datatype, type]) => [type, datatype as Datatype]));

/**
 * Loads an ONNX file into ONNX Runtime.
 * @throws SlipwayError E_MODEL_INVALID when it is none, or takes or answers something else than tensors of the protocol's datatypes
 */
export async function openOnnxModel(file: Uint8Array, options: OnnxOptions = {}): Promise<OnnxModel> {
  // It would keep a device id and records of use in the user's cache and send them to its maker; what a user sets stays.
  process.env.ORT_DISABLE_TELEMETRY ??= "1";
  requireSound(file);
  // Imported here: loading the native library costs what a command that touches no model should not pay.
  const { default: ort } = await import("onnxruntime-node");
  // what it says on its way out of a failure is in the error as well; on the console it would stand between our own lines
  ort.env.logLevel = "fatal";
  const { session, ...provider } = await openSession(ort.InferenceSession, file, options);
  const inputs = session.inputMetadata.map((value) => specOf(value, "input"));
  const outputs = session.outputMetadata.map((value) => specOf(value, "output"));
  const types = inputs.map(({ datatype }) => ortTypes[datatype]);
  const outputNames = outputs.map(({ name }) => name);
  return {
    ...provider,
    inputs,
    outputs,
    mayBatch: firstAxisIsShared([...session.inputMetadata, ...session.outputMetadata]),
    runtimeVersion: ort.env.versions.node ?? ort.env.versions.common,
    run: async (tensors) => {
      const feeds: Record<string, Tensor> = {};
      for (const [index, { name }] of inputs.entries()) {
        const tensor = tensors[index] as RawTensor;
        const data = ortData(tensor);
        const feed = new ort.Tensor(types[index] as OrtType, data as never, tensor.shape);
        // The package's own half in JavaScript puts a Float16Array in the bits' place, which its native half takes for an empty one.
        if (tensor.datatype === "FP16") Object.assign(feed, { cpuData: data });
        feeds[name] = feed;
      }
      const answer = await session.run(feeds, outputNames);
      return outputs.map(({ name, datatype }) => rawOf(datatype, answer[name] as Tensor));
    },
    close: () => session.release(),
  };
}

async function openSession(
  sessions: typeof InferenceSession,
  file: Uint8Array,
  { threads = 1, device = "cpu", deviceId = 0 }: OnnxOptions,
): Promise<Provider & { session: InferenceSession }> {
  const base: InferenceSession.SessionOptions = { intraOpNumThreads: threads, logSeverityLevel: 4 };
  const create = (options: InferenceSession.SessionOptions) =>
    sessions.create(file, options).catch((error: unknown) => {
      throw invalidOnnx(messageOf(error), undefined, error);
    });
  if (device === "cpu") return { provider: "cpu", session: await create(base) };
  try {
    const session = await sessions.create(file, { ...base, executionProviders: [{ name: "cuda", deviceId }] });
    return { provider: "cuda", session };
  } catch (error) {
    if (device === "cuda") throw invalidOnnx(`CUDA does not load: ${messageOf(error)}`, undefined, error);
    // a file that is no model says so again
    return { provider: "cpu", note: messageOf(error), session: await create(base) };
  }
}

/** A tensor's elements as ONNX Runtime takes them. Its strings are JavaScript's, so BYTES elements must be UTF-8. */
function ortData(tensor: RawTensor): unknown {
  if (tensor.datatype === "BYTES") return elementsOf(tensor).map((element) => Buffer.from(element).toString("utf8"));
  return numbersIn(tensor);
}

function rawOf(datatype: Datatype, { dims, data }: Tensor): RawTensor {
  if (datatype === "BYTES") return { ...textTensor(data as string[]), shape: [...dims] };
  return tensorOf(datatype as NumericDatatype, [...dims], data as NumericArray);
}

function specOf(value: InferenceSession.ValueMetadata, side: "input" | "output"): TensorSpec {
  const datatype = value.isTensor ? datatypes.get(value.type) : undefined;
  if (!value.isTensor || datatype === undefined) {
    throw invalidOnnx(
      `its ${side} ${value.name} is ${value.isTensor ? value.type : "no tensor"}, which cannot be asked for`,
    );
  }
  return { name: value.name, datatype, shape: value.shape.map((size) => (typeof size === "number" ? size : -1)) };
}

function firstAxisIsShared(values: readonly InferenceSession.ValueMetadata[]): boolean {
  const names = new Set(values.map((value) => (value.isTensor ? value.shape[0] : undefined)));
  return names.size === 1 && typeof [...names][0] === "string";
}
