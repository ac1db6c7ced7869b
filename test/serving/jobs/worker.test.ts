import { UnrecoverableError } from "bullmq";
import { describe, expect, it } from "vitest";
import { digestOf } from "../../../src/common/digest.ts";
import { computeJob } from "../../../src/serving/jobs/worker.ts";
import { classOf, numbersOf } from "../../../src/serving/models/card.ts";
import { RuntimeError } from "../../../src/serving/routing/question.ts";
import type { RowModel } from "../../../src/serving/routing/rows.ts";
import { binaryCard } from "../cards.ts";

const served = (version: string): RowModel => ({
  model: { name: "first", version, digest: digestOf(version) },
  card: binaryCard(2),
  onnxruntime: "none",
});

/** The first number of each row. */
const first = (values: Float32Array) => values.filter((_, index) => index % 2 === 0);

const rows = Array.from({ length: 2500 }, (_, row) => [row / 2500, 1]);

describe("a job's rows", () => {
  it("are computed in pieces and come back in order", async () => {
    const pieces: number[] = [];
    const { model, predictions } = await computeJob({ rows }, async (values, count) => {
      pieces.push(count);
      return { outputs: first(values), served: served("1") };
    });
    expect(pieces).toEqual([1024, 1024, 452]);
    expect(model.version).toBe("1");
    expect(predictions.flatMap(numbersOf)).toEqual(rows.map(([value]) => Math.fround(value as number)));
    expect(classOf(predictions[2499])).toBe(1);
  });

  it("are computed anew when the model was exchanged half-way", async () => {
    let version = 0;
    const attempt = computeJob({ rows }, async (values) => ({
      outputs: first(values),
      served: served(`${version++}`),
    }));
    await expect(attempt).rejects.toThrow(RuntimeError);
  });

  it("fail for good when they do not fit the model that serves now", async () => {
    const attempt = computeJob({ rows }, () => Promise.reject(new RuntimeError("invalid", "7 numbers")));
    await expect(attempt).rejects.toThrow(UnrecoverableError);
  });

  it("are tried again when the runtime is away", async () => {
    const away = new RuntimeError("unavailable", "away");
    await expect(computeJob({ rows }, () => Promise.reject(away))).rejects.toBe(away);
  });
});
