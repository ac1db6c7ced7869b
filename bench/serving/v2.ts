/** The questions of the Open Inference Protocol: JSON, binary tensors, gRPC. */
import type { ServingConfigFile } from "../../src/serving/config.ts";
import { inferAnswer, inferQuestion } from "../../src/serving/grpc/messages.ts";
import { freePort } from "../../test/support/tcp.ts";
import type { Question } from "./load-report.ts";
import type { Net } from "./nets.ts";
import { MODEL, type RunningHost } from "./ours.ts";
import { asksJson } from "./path.ts";

/** A tensor of one row, as the protocol describes it in each of its forms. */
function tensorOf({ row, model }: Net) {
  return { name: model.card.inputs[0]?.name ?? "", datatype: "FP32", shape: [1, row.length] };
}

function inferUrl({ host }: RunningHost): string {
  return `${host.url}/v2/models/${MODEL}/infer`;
}

/** The tensor's numbers are JSON's. */
export function asksV2(net: Net, running: RunningHost): Question {
  return asksJson(inferUrl(running), { inputs: [{ ...tensorOf(net), data: net.row }] });
}

/** The tensor's bytes stand behind the JSON, and are wanted so in the answer. */
export function asksV2Binary(net: Net, running: RunningHost): Question {
  const bytes = bytesOf(net);
  const head = Buffer.from(
    JSON.stringify({
      inputs: [{ ...tensorOf(net), parameters: { binary_data_size: bytes.length } }],
      parameters: { binary_data_output: true },
    }),
  );
  return {
    url: inferUrl(running),
    method: "POST",
    headers: { "Content-Type": "application/octet-stream", "Inference-Header-Content-Length": `${head.length}` },
    body: joined(head, bytes),
  };
}

/** The configuration of a host that speaks gRPC, too. */
export async function withGrpc(): Promise<Partial<ServingConfigFile>> {
  return { grpc: { port: await freePort() } };
}

/** `ModelInfer` with raw contents. */
export function asksGrpc(net: Net, { host }: RunningHost): Question {
  const message = inferQuestion.encode({
    modelName: MODEL,
    inputs: [tensorOf(net)],
    rawInputContents: [bytesOf(net)],
  });
  return {
    url: `http://127.0.0.1:${host.config.grpc?.port}/inference.GRPCInferenceService/ModelInfer`,
    method: "POST",
    headers: { "content-type": "application/grpc", te: "trailers" },
    body: joined(framed(message)),
    protocol: "h2",
  };
}

/** The number at the end of an answer in binary tensors. */
export function lastFloat(answer: Buffer): number {
  return answer.length < 4 ? Number.NaN : answer.readFloatLE(answer.length - 4);
}

/** The number in a gRPC answer's raw contents. */
export function grpcOutput(answer: Buffer): number {
  const { rawOutputContents = [] } = inferAnswer.decode(new Uint8Array(answer.subarray(PREFIX_BYTES)));
  const [bytes = new Uint8Array()] = rawOutputContents;
  return lastFloat(Buffer.from(bytes));
}

/** Before a gRPC message: whether it is compressed, and its length. */
const PREFIX_BYTES = 5;

function framed(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function bytesOf({ row }: Net): Uint8Array {
  return new Uint8Array(Float32Array.from(row).buffer);
}

function joined(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.concat(parts));
}
