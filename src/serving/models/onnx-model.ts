import type { InferenceSession, Tensor } from "onnxruntime-node";
import { messageOf, SlipwayError } from "../../common/errors.ts";
import type { Datatype, NumericArray, NumericDatatype } from "../tensors/datatypes.ts";
import { elementsOf, numbersIn, type RawTensor, tensorOf, textTensor } from "../tensors/raw-tensor.ts";
import type { TensorSpec } from "./card.ts";
import { cudaFailureIn, cudaSurroundings, cudnnLoadError, missingForCuda, providerLoadError } from "./cuda.ts";
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

/** Of what ONNX Runtime says when CUDA does not load, for logs and pages. */
const LONGEST_NOTE = 500;

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
  let session: InferenceSession | undefined;
  const create = (options: InferenceSession.SessionOptions) =>
    sessions.create(file, options).catch((error: unknown) => {
      throw invalidOnnx(messageOf(error), undefined, error);
    });
  if (device === "cpu") return { provider: "cpu", session: await create(base) };
  // cuBLAS and cuDNN would multiply float32 by TF32, whose 10 bits of mantissa miss golden rows. The provider's own option for that
  // (use_tf32) cannot be given through ONNX Runtime's package for Node; this one NVIDIA's libraries read themselves, once, when they are loaded.
  process.env.NVIDIA_TF32_OVERRIDE ??= "0";
  const note = await whyNoCuda(device, async () => {
    session = await sessions.create(file, { ...base, executionProviders: [{ name: "cuda", deviceId }] });
  });
  if (session) return { provider: "cuda", session };
  // a file that is no model says so again
  if (device === "auto") return { provider: "cpu", note, session: await create(base) };
  throw new SlipwayError("E_DEVICE_MISSING", `CUDA is asked for and cannot be used: ${note}`, {
    hint: "Prepare the host as docs/how-to/gpu.md says, or let the runtimes' device be auto or cpu.",
  });
}

/**
 * Why CUDA cannot be used; empty where the try succeeds. What is known to be missing is told all at once, and nothing is tried. Who leaves
 * the choice to the host gets CUDA where every model can be computed with it.
 */
async function whyNoCuda(device: "auto" | "cuda", attempt: () => Promise<void>): Promise<string> {
  const surroundings = cudaSurroundings();
  const missing = missingForCuda(surroundings);
  const cudnn = missing.length === 0 && device === "auto" ? cudnnLoadError() : undefined;
  if (cudnn !== undefined) missing.push(cudnn);
  if (missing.length > 0) return missing.join("; ");
  try {
    await attempt();
    return "";
  } catch (error) {
    // ONNX Runtime tells which library it lacks on its console alone
    const reason = providerLoadError(surroundings) ?? cudaFailureIn(messageOf(error)) ?? messageOf(error);
    return reason.replace(/\s+/g, " ").slice(0, LONGEST_NOTE);
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
