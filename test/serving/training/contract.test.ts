import { describe, expect, it } from "vitest";
import {
  type EpochProgress,
  externalTrainerSchema,
  LOG_LINE_LENGTH,
  type LogLine,
  type TrainOptions,
  type TrainRequest,
  type TrainResult,
  trainRequestSchema,
} from "../../../src/serving/training/contract.ts";

const spec = { kind: "network", loss: "mse", network: { class_name: "Sequential" } };

describe("a training request", () => {
  it("survives JSON with its defaults filled in", () => {
    const request: TrainRequest = trainRequestSchema.parse({ spec, data: { text: "1,2\n" } });
    expect(trainRequestSchema.parse(JSON.parse(JSON.stringify(request)))).toEqual(request);
    expect(request.spec).toMatchObject({ seed: 1, holdOut: 0.1, epochs: 150, optimizer: { name: "adam" } });
  });

  it.each([
    ["an unknown field", { ...spec, epoch: 3 }, /epoch/],
    ["a wrong loss", { ...spec, loss: "hinge" }, /loss/],
    ["too many epochs", { ...spec, epochs: 1e9 }, /epochs/],
    ["a label twice", { kind: "plan-cost", labels: "SS" }, /label twice/],
  ])("is refused with the field's name: %s", (_what, wrong, message) => {
    expect(() => trainRequestSchema.parse({ spec: wrong, data: { text: "" } })).toThrow(message);
  });
});

it("an external trainer has a time limit of its own or the default", () => {
  expect(externalTrainerSchema.parse({ command: ["python3", "train.py"] })).toEqual({
    command: ["python3", "train.py"],
    timeoutS: 3600,
    passEnvironment: [],
  });
});

it("callbacks take what the contract says", () => {
  const seen: (EpochProgress | LogLine)[] = [];
  const options: TrainOptions = { onProgress: (event) => seen.push(event), onLog: (line) => seen.push(line) };
  options.onProgress?.({ epoch: 1, epochs: 2, elapsedMs: 3 });
  options.onLog?.({ time: "2000-01-01T00:00:00.000Z", source: "stdout", text: "x".repeat(LOG_LINE_LENGTH) });
  const result: Pick<TrainResult, "metrics" | "verdict"> = {
    metrics: { loss: 1 },
    verdict: { passed: true, checks: [] },
  };
  expect([...seen, result]).toHaveLength(3);
});
