import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { digestOf } from "../../../src/common/digest.ts";
import { computePredictions, type PredictionTools } from "../../../src/serving/jobs/predictions.ts";
import type { PredictionJob } from "../../../src/serving/jobs/records.ts";
import { RowsError, rowChunks } from "../../../src/serving/jobs/row-chunks.ts";
import { openSpool, SpoolError } from "../../../src/serving/jobs/spool.ts";
import { numbersOf } from "../../../src/serving/models/card.ts";
import { RuntimeError } from "../../../src/serving/routing/question.ts";
import type { RowModel } from "../../../src/serving/routing/rows.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { binaryCard } from "../cards.ts";

const served = (version = "1"): RowModel => ({
  model: { name: "first", version, digest: digestOf(version) },
  card: binaryCard(2),
  onnxruntime: "none",
});
/** The first number of each row: what comes back tells which row it is of. */
const first = (values: Float32Array) => values.filter((_, index) => index % 2 === 0);

async function tools(changes: Partial<PredictionTools> = {}): Promise<PredictionTools> {
  return {
    served: async () => served(),
    predict: async (_served, values) => ({ outputs: first(values), served: served() }),
    spool: await openSpool(temporaryFolder(), 1024 ** 2),
    onProgress: () => undefined,
    signal: new AbortController().signal,
    ...changes,
  };
}

const rows = Array.from({ length: 2500 }, (_, row) => [row / 2500, 1]);
const text = (bytes: AsyncIterable<Buffer>) =>
  Readable.from(bytes)
    .toArray()
    .then((parts) => Buffer.concat(parts).toString());

describe("a job's rows", () => {
  it("are computed in pieces and come back in order, in a file where they are many", async () => {
    const pieces: number[] = [];
    const progress: unknown[] = [];
    const surroundings = await tools({
      predict: async (_served, values, count) => {
        pieces.push(count);
        return { outputs: first(values), served: served() };
      },
      onProgress: (now) => progress.push(now),
    });
    const result = await computePredictions("p-1", { rows }, surroundings);
    expect(pieces).toEqual([1024, 1024, 452]);
    expect(progress.at(-1)).toEqual({ done: 2500, total: 2500 });
    expect(result).toEqual({ model: served().model, rows: 2500, file: "out-p-1" });
    const [head, ...lines] = (await text(surroundings.spool.get("out-p-1"))).trim().split("\n");
    expect(JSON.parse(head as string)).toEqual({ model: served().model });
    expect(lines.flatMap((line) => numbersOf(JSON.parse(line)))).toEqual(
      rows.map(([value]) => Math.fround(value as number)),
    );
  });

  it("are not computed again when the job has left its result before", async () => {
    const surroundings = await tools();
    const result = await computePredictions("p-1", { rows }, surroundings);
    const predict = () => Promise.reject(new Error("computed again"));
    expect(await computePredictions("p-1", { rows }, { ...surroundings, predict })).toEqual(result);
  });

  it("come back with the job where they are few", async () => {
    const result = await computePredictions(
      "p-1",
      {
        rows: [
          [0.25, 1],
          [0.75, 1],
        ],
      },
      await tools(),
    );
    expect(result.predictions).toEqual([
      { probability: 0.25, class: 0 },
      { probability: 0.75, class: 1 },
    ]);
  });

  it("are computed anew when the model was exchanged half-way, and leave nothing", async () => {
    let version = 1;
    const surroundings = await tools({
      predict: async (_served, values) => ({ outputs: first(values), served: served(`${version++}`) }),
    });
    await expect(computePredictions("p-1", { rows }, surroundings)).rejects.toMatchObject({ final: false });
    expect(await surroundings.spool.size("out-p-1")).toBeUndefined();
  });

  it("wait for a runtime that is away for a moment, and are tried again when it stays away", async () => {
    let asked = 0;
    const away = new RuntimeError("unavailable", "away");
    const surroundings = await tools({
      predict: async (_served, values) => {
        if (++asked < 3) throw away;
        return { outputs: first(values), served: served() };
      },
    });
    expect(await computePredictions("p-1", { rows: [[0.5, 1]] }, surroundings)).toMatchObject({ rows: 1 });
    const gone = await tools({ predict: () => Promise.reject(away), awayMs: 50 });
    await expect(computePredictions("p-1", { rows: [[0.5, 1]] }, gone)).rejects.toMatchObject({ final: false });
  });

  it.each<[string, PredictionJob]>([
    ["do not fit the model", { rows: [[1, 2, 3]] }],
    ["are none", { rows: [] }],
  ])("fail for good when they %s", async (_what, job) => {
    await expect(computePredictions("p-1", job, await tools())).rejects.toMatchObject({ final: true });
  });
});

describe("rows in a file", () => {
  const read = async (
    content: string | Uint8Array,
    format: "csv" | "f32",
    features = 2,
    cut = 7,
    columns?: string[],
  ) => {
    const bytes = Buffer.from(content as Uint8Array);
    // streams cut wherever they like
    const parts = Array.from({ length: Math.ceil(bytes.length / cut) }, (_, at) =>
      bytes.subarray(at * cut, at * cut + cut),
    );
    const spool = { get: () => Readable.from(parts) };
    const found: number[][] = [];
    const input = { name: "input", features, ...(columns && { columns }) };
    for await (const { values, rows: count } of rowChunks({ spooled: { file: "in-1", format } }, spool, input, 3)) {
      for (let row = 0; row < count; row++) found.push([...values.subarray(row * features, (row + 1) * features)]);
    }
    return found;
  };
  const float = fc.float({ noNaN: true, noDefaultInfinity: true });
  const table = fc
    .integer({ min: 1, max: 4 })
    .chain((features) =>
      fc.array(fc.array(float, { minLength: features, maxLength: features }), { minLength: 1, maxLength: 20 }),
    );

  it("are the numbers that were written, wherever the stream is cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        table,
        fc.integer({ min: 1, max: 40 }),
        fc.boolean(),
        fc.constantFrom("\n", "\r\n"),
        async (numbers, cut, header, end) => {
          const features = (numbers[0] as number[]).length;
          const plain = numbers.map((row) => row.map((value) => (Object.is(value, -0) ? 0 : value)));
          const lines = [...(header ? [plain[0]?.map((_, at) => `column ${at}`)] : []), ...plain];
          const csv = lines.map((line) => line?.join(",")).join(end);
          expect(await read(csv, "csv", features, cut)).toEqual(plain);
          const raw = new Uint8Array(Float32Array.from(plain.flat()).buffer);
          expect(await read(raw, "f32", features, cut)).toEqual(plain);
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each([
    ["1,2\n3\n", "line 2 has 1 columns"],
    ["1,2\n3,x\n", 'line 2, column 2: "x"'],
    ["1,2\n3,1e39\n", 'line 2, column 2: "1e39"'],
    ["1,2\n3,\n", 'line 2, column 2: ""'],
    ["a,b\nc,d\n", "line 2, column 1"],
    [`1,${"2".repeat(1024 * 1024 + 10)}`, "a line has more than"],
  ])("are refused with the place where they are wrong: %.20s", async (csv, reason) => {
    await expect(read(csv, "csv", 2, 65_536)).rejects.toThrow(reason);
    await expect(read(csv, "csv", 2, 65_536)).rejects.toThrow(RowsError);
  });

  it("of a file whose header names the columns are taken by name, as where they are asked for at once", async () => {
    expect(await read("b,more,a\n1,9,2\n3,9,4\n", "csv", 2, 7, ["a", "b"])).toEqual([
      [2, 1],
      [4, 3],
    ]);
  });

  it("are refused when their bytes are not those of whole rows", async () => {
    await expect(read(new Uint8Array(12), "f32")).rejects.toThrow("not of 2 numbers");
  });
});

describe("the spool", () => {
  const content = (...parts: string[]) => Readable.from(parts.map((part) => Buffer.from(part)));

  it("keeps what a stream brings, and nothing of one that is too long or breaks", async () => {
    const folder = temporaryFolder();
    const spool = await openSpool(folder, 100);
    const kept = await spool.put(content("one,", "two"), 100);
    expect(kept).toMatchObject({ bytes: 7, digest: digestOf("one,two") });
    expect(await text(spool.get(kept.file))).toBe("one,two");
    await expect(spool.put(content("12345", "6"), 5)).rejects.toMatchObject({ reason: "too-large" });
    const broken = Readable.from(
      (async function* () {
        yield Buffer.from("1");
        throw new Error("the client went away");
      })(),
    );
    await expect(spool.put(broken, 100)).rejects.toThrow("went away");
    expect(await spool.sweep(-1, false)).toBe(1); // the one that is whole
  });

  it("is full at its limit", async () => {
    const spool = await openSpool(temporaryFolder(), 10);
    await spool.put(content("1234567890"), 100);
    await expect(spool.put(content("1"), 100)).rejects.toThrow(SpoolError);
  });

  it("gives a job's result to the first who brings one", async () => {
    const spool = await openSpool(temporaryFolder(), 100);
    const [a, b] = await Promise.all([spool.publish("p-1", content("a")), spool.publish("p-1", content("b"))]);
    expect([a.first, b.first].sort()).toEqual([false, true]);
    expect(await text(spool.get(a.file))).toBe(a.first ? "a" : "b");
  });

  it("sweeps what is old, and what killed processes left", async () => {
    const folder = temporaryFolder();
    const spool = await openSpool(folder, 100);
    await spool.put(content("1"), 100);
    await spool.publish("p-1", content("2"));
    await writeFile(join(folder, "tmp-left"), "");
    expect(await spool.sweep(3_600_000, true)).toBe(0);
    expect(await spool.sweep(-1, true)).toBe(1);
    expect(await spool.size("out-p-1")).toBeUndefined();
  });

  it.each(["../secret", "in-../x", "tmp", "/etc/passwd", "in-a/b"])("knows no file %s", async (name) => {
    const spool = await openSpool(temporaryFolder(), 100);
    expect(() => spool.get(name)).toThrow("no file of the spool");
  });
});
