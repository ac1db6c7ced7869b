import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  Batcher,
  type Compute,
  type Computed,
  OverloadError,
  type Rows,
} from "../../../src/serving/runtime/batcher.ts";
import { Shares } from "../../../src/serving/runtime/shares.ts";
import { floatRows, floatsIn, type RawTensor } from "../../../src/serving/tensors/raw-tensor.ts";

const limits = { batchRows: 4, queueRows: 100 };

/** Doubles every number, and remembers the batches. */
function doubling() {
  const batches: (number | undefined)[] = [];
  const compute: Compute = async ([tensor]) => {
    batches.push(tensor?.shape[0]);
    return [
      {
        ...(tensor as RawTensor),
        bytes: floatRows(
          floatsIn(tensor).map((value) => value * 2),
          1,
        ).bytes,
      },
    ];
  };
  return { batches, compute };
}

/** So many rows of these numbers. */
function question(values: number[], rows = 1): Rows {
  return { inputs: [floatRows(Float32Array.from(values), rows)], rows };
}
const zeros = (rows: number) => question(new Array<number>(rows).fill(0), rows);
const numbers = ({ outputs }: Computed) => [...floatsIn(outputs[0])];

describe("the batcher", () => {
  it("gives everyone the outputs of his own rows, whatever was batched together", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.tuple(fc.integer(), fc.integer()), { minLength: 1, maxLength: 9 }), { maxLength: 20 }),
        async (questions) => {
          const batcher = new Batcher(doubling().compute, { ...limits, queueRows: 1000 }, { joins: true });
          const answers = await Promise.all(
            questions.map((rows) => batcher.submit(question(rows.flat(), rows.length))),
          );
          const expected = questions.map((rows) => rows.flat().map((value) => Math.fround(Math.fround(value) * 2)));
          expect(answers.map(numbers)).toEqual(expected);
          expect(answers.map(({ outputs }) => outputs[0]?.shape)).toEqual(questions.map(({ length }) => [length, 2]));
        },
      ),
    );
  });

  it("computes what arrived meanwhile as one batch, up to its limit", async () => {
    const { batches, compute } = doubling();
    const batcher = new Batcher(compute, limits, { joins: true });
    await Promise.all(Array.from({ length: 10 }, (_, index) => batcher.submit(question([index]))));
    expect(batches).toEqual([4, 4, 2]);
  });

  it("computes a question that is larger than a batch alone", async () => {
    const { batches, compute } = doubling();
    const batcher = new Batcher(compute, limits, { joins: true });
    await Promise.all([1, 7, 1].map((rows) => batcher.submit(zeros(rows))));
    expect(batches).toEqual([1, 7, 1]);
  });

  it("computes questions of different shapes, and those of a model that takes no batches, each alone", async () => {
    const shaped = doubling();
    const batcher = new Batcher(shaped.compute, limits, { joins: true });
    await Promise.all([question([1, 2]), question([1]), question([3])].map((one) => batcher.submit(one)));
    expect(shaped.batches).toEqual([1, 2]);
    const single = doubling();
    const alone = new Batcher(single.compute, limits, { joins: false });
    await Promise.all([question([1]), question([2])].map((one) => alone.submit(one)));
    expect(single.batches).toEqual([1, 1]);
  });

  it("says how large the batch was", async () => {
    const batcher = new Batcher(doubling().compute, limits, { joins: true });
    const answers = await Promise.all([question([1]), zeros(2)].map((one) => batcher.submit(one)));
    expect(answers.map(({ timing }) => timing.batchRows)).toEqual([3, 3]);
  });

  it("answers a question that is asked by the answer to the last one", async () => {
    const batcher = new Batcher(doubling().compute, limits, { joins: true });
    const chained = await batcher
      .submit(question([1]))
      .then(({ outputs }) => batcher.submit({ inputs: outputs, rows: 1 }));
    expect(numbers(chained)).toEqual([4]);
  });

  it("refuses rows beyond its queue and takes them again when it is empty", async () => {
    const batcher = new Batcher(doubling().compute, limits, { joins: true });
    const waiting = batcher.submit(zeros(99));
    await expect(batcher.submit(zeros(2))).rejects.toThrow(OverloadError);
    await waiting;
    expect(numbers(await batcher.submit(zeros(2)))).toHaveLength(2);
  });

  it("fails the questions of a batch that breaks, and only those", async () => {
    const batcher = new Batcher(
      async (inputs) => {
        if (floatsIn(inputs[0])[0] === 13) throw new Error("unlucky");
        return inputs;
      },
      { ...limits, batchRows: 1 },
      { joins: true },
    );
    const results = await Promise.allSettled([1, 13, 2].map((value) => batcher.submit(question([value]))));
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  });

  it("is drained when everything is answered", async () => {
    const { batches, compute } = doubling();
    const batcher = new Batcher(compute, limits, { joins: true });
    const answers = Array.from({ length: 6 }, () => batcher.submit(question([1])));
    await batcher.drain();
    expect(batches).toEqual([4, 2]);
    await expect(Promise.all(answers)).resolves.toHaveLength(6);
  });
});

describe("models that share a thread", () => {
  /** Takes half a millisecond for each row, and remembers its batches. */
  function heavy() {
    const batches: number[] = [];
    const compute: Compute = async ([tensor]) => {
      const rows = tensor?.shape[0] ?? 0;
      batches.push(rows);
      const end = performance.now() + rows / 2;
      while (performance.now() < end);
      return [tensor as RawTensor];
    };
    return { batches, compute };
  }
  const wide = { batchRows: 1000, queueRows: 100_000 };
  const flood = (batcher: Batcher) => Array.from({ length: 300 }, () => batcher.submit(zeros(1)));

  it("compute in turn: while a light one is asked a heavy one's batches are short", async () => {
    const { batches, compute } = heavy();
    const shares = new Shares(5);
    const slow = new Batcher(compute, wide, { joins: true, shares });
    const light = new Batcher(doubling().compute, wide, { joins: true, shares });
    await slow.submit(zeros(1)); // from then on it is known how heavy it is
    const answers = flood(slow);
    let lightAnswers = 0;
    let done = false;
    void Promise.all(answers).then(() => {
      done = true;
    });
    for (; !done; lightAnswers++) await light.submit(zeros(1));
    // half a millisecond a row: ten in a turn of five; half of that where the machine is busy besides
    expect(Math.max(...batches.slice(1))).toBeLessThanOrEqual(14);
    expect(lightAnswers).toBeGreaterThanOrEqual(batches.length - 2);
  });

  it("let one that is asked alone have longer batches, and not so long that all callers wait for each other", async () => {
    const { batches, compute } = heavy();
    const shares = new Shares(5);
    const slow = new Batcher(compute, wide, { joins: true, shares });
    const gone = new Batcher(compute, wide, { joins: true, shares });
    await gone.submit(zeros(1));
    gone.leave();
    await slow.submit(zeros(1));
    await Promise.all(flood(slow));
    // what 24 rows take is more than a batch may take by its time alone, and is worthwhile
    expect(batches).toEqual([1, 1, ...new Array<number>(12).fill(24), 12]);
  });

  it("computes several batches at a time where that is of use", async () => {
    let most = 0;
    let now = 0;
    const compute: Compute = async (inputs) => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 2));
      now--;
      return inputs;
    };
    const batcher = new Batcher(compute, limits, { joins: false, parallel: 3 });
    await Promise.all(Array.from({ length: 12 }, () => batcher.submit(zeros(1))));
    expect(most).toBe(3);
    await batcher.drain();
  });
});
