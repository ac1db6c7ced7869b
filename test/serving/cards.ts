import type { RowCard } from "../../src/serving/models/card.ts";

/** The card of a model that takes so many numbers and answers the probability of class 1. */
export function binaryCard(features: number): RowCard {
  return {
    schemaVersion: 2,
    platform: "onnx",
    inputs: [{ name: "input", datatype: "FP32", shape: [-1, features] }],
    outputs: [{ name: "output", datatype: "FP32", shape: [-1, 1] }],
    batching: true,
    rows: {
      input: { name: "input", features },
      output: { kind: "binary", name: "output", threshold: 0.5 },
    },
    source: { format: "onnx", files: [] },
  };
}
