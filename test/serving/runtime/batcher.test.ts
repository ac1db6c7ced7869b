import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Batcher, OverloadError } from "../../../src/serving/runtime/batcher.ts";

const limits = { batchRows: 4, queueRows: 100 };

/** Doubles every number, and remembers the batches. */
function doubling() {
  const batches: number[] = [];
  const compute = async (values: Float32Array, rows: number) => {
    batches.push(rows);
    return values.map((value) => value * 2);
  };
  return { batches, compute };
}

describe("the batcher", () => {
  it("gives everyone the outputs of his own rows, whatever was batched together", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.tuple(fc.integer(), fc.integer()), { minLength: 1, maxLength: 9 }), { maxLength: 20 }),
        async (questions) => {
          const batcher = new Batcher(doubling().compute, { ...limits, queueRows: 1000 });
          const asked = questions.map((rows) => Float32Array.from(rows.flat()));
          const answers = await Promise.all(asked.map((values) => batcher.submit(values, values.length / 2)));
          expect(answers.map((answer) => [...answer])).toEqual(asked.map((values) => [...values.map((v) => v * 2)]));
        },
      ),
    );
  });

  it("computes what arrived meanwhile as one batch, up to its limit", async () => {
    const { batches, compute } = doubling();
    const batcher = new Batcher(compute, limits);
    await Promise.all(Array.from({ length: 10 }, (_, index) => batcher.submit(Float32Array.of(index), 1)));
    expect(batches).toEqual([4, 4, 2]);
  });

  it("computes a question that is larger than a batch alone", async () => {
    const { batches, compute } = doubling();
    const batcher = new Batcher(compute, limits);
    await Promise.all([1, 7, 1].map((rows) => batcher.submit(new Float32Array(rows), rows)));
    expect(batches).toEqual([1, 7, 1]);
  });

  it("answers a question that is asked by the answer to the last one", async () => {
    const batcher = new Batcher(doubling().compute, limits);
    const chained = await batcher.submit(Float32Array.of(1), 1).then((outputs) => batcher.submit(outputs, 1));
    expect([...chained]).toEqual([4]);
  });

  it("refuses rows beyond its queue and takes them again when it is empty", async () => {
    const batcher = new Batcher(doubling().compute, limits);
    const waiting = batcher.submit(new Float32Array(99), 99);
    await expect(batcher.submit(new Float32Array(2), 2)).rejects.toThrow(OverloadError);
    await waiting;
    await expect(batcher.submit(new Float32Array(2), 2)).resolves.toHaveLength(2);
  });

  it("fails the questions of a batch that breaks, and only those", async () => {
    const batcher = new Batcher(
      async (values) => {
        if (values[0] === 13) throw new Error("unlucky");
        return values;
      },
      { ...limits, batchRows: 1 },
    );
    const results = await Promise.allSettled([1, 13, 2].map((value) => batcher.submit(Float32Array.of(value), 1)));
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  });

  it("is drained when everything is answered", async () => {
    const { batches, compute } = doubling();
    const batcher = new Batcher(compute, limits);
    const answers = Array.from({ length: 6 }, () => batcher.submit(Float32Array.of(1), 1));
    await batcher.drain();
    expect(batches).toEqual([4, 2]);
    await expect(Promise.all(answers)).resolves.toHaveLength(6);
  });
});
