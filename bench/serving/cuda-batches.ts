import { availableParallelism } from "node:os";
import { type OnnxModel, type OnnxOptions, openOnnxModel } from "../../src/serving/models/onnx-model.ts";
import { floatRows } from "../../src/serving/tensors/raw-tensor.ts";
import { addSample, median, type Samples } from "../report.ts";
import { type Net, seeded } from "./nets.ts";
import { spread } from "./tables.ts";

const BATCHES = [1, 8, 32, 128, 1024];
/** In one round, of one batch size on one provider. */
const MEASURE_MS = 300;
const WARM_UP_MS = 50;
const CORES = availableParallelism();

/** What is compared; the first is what the others are divided by. */
const computers: { name: string; options: OnnxOptions }[] = [
  { name: "CPU, 1 thread", options: { device: "cpu" } },
  { name: `CPU, ${CORES} threads`, options: { device: "cpu", threads: CORES } },
  { name: "CUDA", options: { device: "cuda" } },
];

/** Median milliseconds of a run in each round, by computer and rows. */
export type BatchTimes = Map<number, Samples>;

/** Runs batches as the runtime does, one after the other, in turns on each computer. */
export async function measureBatches(net: Net, rounds: number, tell: (line: string) => void): Promise<BatchTimes> {
  const times: BatchTimes = new Map(BATCHES.map((rows) => [rows, new Map()]));
  const models: OnnxModel[] = [];
  try {
    for (const { options } of computers) models.push(await openOnnxModel(net.model.onnx, options));
    for (let round = 0; round <= rounds; round++) {
      for (const [rows, samples] of times) {
        for (const [index, model] of models.entries()) {
          const took = await runsOf(model, rows, net.row.length);
          // the first round allocates and chooses algorithms
          if (round > 0) addSample(samples, (computers[index] as { name: string }).name, median(took));
        }
      }
      tell(`round ${round} of ${rounds}`);
    }
    return times;
  } finally {
    for (const model of models) await model.close();
  }
}

/** A line for each batch size and computer, as Markdown. */
export function batchesTable({ name, what }: Net, times: BatchTimes): string {
  const lines = [...times].flatMap(([rows, samples]) => {
    const first = [...samples.values()][0] ?? [];
    return [...samples].map(([computer, took]) => {
      const ratios = took.map((ms, round) => (first[round] as number) / ms);
      const perSecond = Math.round((rows / median(took)) * 1000);
      return `| ${rows} | ${computer} | ${spread(took, 3)} | ${perSecond} | ${spread(ratios, 2)} |`;
    });
  });
  return [
    `## Batches of the ${name} net (${what}) in the runtime, one at a time`,
    "",
    "| rows | by | ms a batch | rows/s | ÷ CPU, 1 thread |",
    "|---|---|---|---|---|",
    ...lines,
  ].join("\n");
}

/** Milliseconds of each run. */
async function runsOf(model: OnnxModel, rows: number, features: number): Promise<number[]> {
  const inputs = [floatRows(Float32Array.from({ length: rows * features }, seeded(rows)), rows)];
  const runFor = async (ms: number) => {
    const took: number[] = [];
    for (const end = performance.now() + ms; performance.now() < end; ) {
      const start = performance.now();
      await model.run(inputs);
      took.push(performance.now() - start);
    }
    return took;
  };
  await runFor(WARM_UP_MS);
  return runFor(MEASURE_MS);
}
