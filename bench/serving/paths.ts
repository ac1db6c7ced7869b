import { competitors } from "./competitors.ts";
import { durable } from "./durable.ts";
import { frontendInProcess, inProcess, ours } from "./ours.ts";
import { asksRow, firstOutput, firstPrediction, type ServingPath } from "./path.ts";
import { asksGrpc, asksV2, asksV2Binary, grpcOutput, lastFloat, withGrpc } from "./v2.ts";

/** Everything that is measured; a further way to ask is a further line. */
export const paths: ServingPath[] = [
  inProcess("fastify", "none", "Fastify without model"),
  inProcess("row", "row", "in process, row by row"),
  inProcess("batch", "batch", "in process, micro-batched"),
  frontendInProcess("whole", "Slipway's frontend, the model in its process"),
  ours("json", "Slipway, `/v1/predict`", (net, { host }) => ({
    question: asksRow(`${host.url}/v1/predict`, net),
    probabilityIn: firstPrediction,
  })),
  ours("v2", "Slipway, v2 JSON", (net, running) => ({
    question: asksV2(net, running),
    probabilityIn: firstOutput,
  })),
  ours("v2-binary", "Slipway, v2 binary tensors", (net, running) => ({
    question: asksV2Binary(net, running),
    probabilityIn: lastFloat,
  })),
  ours(
    "grpc",
    "Slipway, gRPC (load by h2load)",
    (net, running) => ({ question: asksGrpc(net, running), probabilityIn: grpcOutput }),
    withGrpc,
  ),
  durable("durable", "Slipway, durable, fsync always"),
  ...competitors,
];
