import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readConfiguration } from "../../../src/serving/aiengine/configuration.ts";
import { Refused } from "../../../src/serving/aiengine/reply.ts";
import { epochLine, isTold } from "../../../src/serving/aiengine/training-log.ts";
import { Turns } from "../../../src/serving/aiengine/turns.ts";

const read = (fields: unknown) => readConfiguration(Buffer.from(JSON.stringify(fields)));
const codeOf = (fields: unknown) => {
  try {
    read(fields);
    return "0";
  } catch (error) {
    if (error instanceof Refused) return error.code;
    throw error;
  }
};
const named = { model_name: "m", labels: "ST" };

describe("a configuration", () => {
  it("has the engine's defaults", () => {
    expect(read(named)).toEqual({
      name: "m",
      spec: expect.objectContaining({
        kind: "plan-cost",
        labels: "ST",
        maxEpoch: 500,
        learningRate: 1,
        hiddenUnits: 50,
        batchSize: 500,
        dimRed: -1,
      }),
    });
  });

  it("takes numbers as texts, and labels in any order", () => {
    const texts = { max_epoch: "20", learning_rate: "0.5", hidden_units: "8", batch_size: "32", dim_red: "0.9" };
    expect(read({ ...named, ...texts, labels: ["T", "S"], template_name: "rlstm" }).spec).toMatchObject({
      labels: "TS",
      maxEpoch: 20,
      learningRate: 0.5,
      hiddenUnits: 8,
      batchSize: 32,
      dimRed: 0.9,
    });
  });

  it.each([
    ["M", {}],
    ["M", { model_name: "m" }],
    ["M", { labels: "S" }],
    ["M", { model_name: "", labels: "S" }],
    ["I", { ...named, epochs: 5 }],
    ["I", { other: 1 }],
    ["F", { ...named, max_epoch: "abc" }],
    ["F", { ...named, max_epoch: 0 }],
    ["F", { ...named, max_epoch: -5 }],
    ["F", { ...named, max_epoch: 1.5 }],
    ["F", { ...named, max_epoch: null }],
    ["F", { ...named, learning_rate: "fast" }],
    ["F", { ...named, dim_red: 2 }],
    ["F", { ...named, labels: "SX" }],
    ["F", { ...named, labels: "SS" }],
    ["F", { ...named, labels: 5 }],
    ["F", { ...named, model_name: "../m" }],
    ["F", { ...named, model_name: 5 }],
    ["F", { ...named, template_name: "lstm" }],
    ["F", []],
    ["F", "text"],
    ["F", null],
  ])("is answered %s for %j", (code, fields) => {
    expect(codeOf(fields)).toBe(code);
  });

  it("is read or refused, whatever it is", () => {
    const value = fc.oneof(fc.jsonValue(), fc.string(), fc.double(), fc.constantFrom("S", "m", "10", -1));
    const keys = fc.constantFrom("model_name", "labels", "max_epoch", "dim_red", "batch_size", "x", "__proto__");
    fc.assert(
      fc.property(fc.dictionary(keys, value), (fields) => {
        expect(["0", "M", "F", "I"]).toContain(codeOf(fields));
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(() => readConfiguration(Buffer.from(bytes))).toThrow(Refused);
      }),
    );
  });
});

describe("a training's log", () => {
  it("has a line for each hundred epochs, the first and the last", () => {
    const told = (epochs: number) => Array.from({ length: epochs }, (_, i) => i + 1).filter((i) => isTold(i, epochs));
    expect(told(50)).toEqual([1, 50]);
    expect(told(250)).toEqual([1, 100, 200, 250]);
    const now = new Date("2026-01-02T03:04:05.678Z");
    expect(epochLine("m", 100, 500, 1.2345, now)).toBe(
      "2026-01-02 03:04:05 [TRAINING] [MODEL] m [Epoch] 100/500 [Loss] 1.23\n",
    );
  });
});

describe("turns", () => {
  it("let so many work at a time, in order, and refuse what would wait beyond", async () => {
    const turns = new Turns(2, 2);
    const open: (() => void)[] = [];
    const began: number[] = [];
    const work = (n: number) =>
      turns.take(() => {
        began.push(n);
        return new Promise<number>((resolve) => open.push(() => resolve(n)));
      });
    const all = [0, 1, 2, 3].map(work);
    expect(await work(4)).toBeUndefined();
    expect(began).toEqual([0, 1]);
    open[0]?.();
    expect(await all[0]).toEqual({ done: 0 });
    await new Promise(setImmediate);
    expect(began).toEqual([0, 1, 2]);
    for (let i = 1; i < 4; i++) {
      open[i]?.();
      expect(await all[i]).toEqual({ done: i });
      await new Promise(setImmediate);
    }
    const failing = turns.take(() => Promise.reject(new Error("no")));
    await expect(failing).rejects.toThrow("no");
    expect(await turns.take(async () => 5)).toEqual({ done: 5 });
  });
});
