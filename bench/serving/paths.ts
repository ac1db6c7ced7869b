import { competitors } from "./competitors.ts";
import { durable } from "./durable.ts";
import { frontendInProcess, inProcess, ours } from "./ours.ts";
import { asksRow, firstPrediction, type ServingPath } from "./path.ts";

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
  durable("durable", "Slipway, durable, fsync always"),
  ...competitors,
];
