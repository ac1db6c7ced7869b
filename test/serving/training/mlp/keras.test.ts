import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { outputsFor } from "../../../../src/serving/training/mlp/evaluate.ts";
import { type EpochFigures, fitNetwork } from "../../../../src/serving/training/mlp/fit.ts";
import { buildNetwork, describeNetwork, readBlueprint } from "../../../../src/serving/training/mlp/keras-json.ts";
import type { LossName } from "../../../../src/serving/training/mlp/losses.ts";
import { denseLayers, type Mlp } from "../../../../src/serving/training/mlp/network.ts";
import type { OptimizerOptions } from "../../../../src/serving/training/mlp/optimizers.ts";
import { plain, samplesOf } from "./support.ts";

/** What `record.py` writes: weights in the order of the layers, each kernel before its bias. */
interface RecordedSteps {
  name: string;
  network: unknown;
  loss: LossName;
  classWeights: Record<string, number> | null;
  optimizer: { name: string } & Record<string, number>;
  x: number[][];
  targets: number[][];
  weights: number[][];
  epochs: { loss: number; weights: number[][] }[];
  outputs: number[][];
}

const file = new URL("../fixtures/keras/steps.json", import.meta.url);
const { recorded } = JSON.parse(await readFile(file, "utf8")) as { recorded: RecordedSteps[] };

function arrays(network: Mlp): Float64Array[] {
  return denseLayers(network).flatMap(({ kernel, bias }) => (bias ? [kernel, bias] : [kernel]));
}

function optimizerOf({ name, learning_rate, beta_1, beta_2, ...others }: RecordedSteps["optimizer"]): OptimizerOptions {
  const options = {
    name: name.toLowerCase().replace(/[^a-z]/g, ""),
    learningRate: learning_rate,
    beta1: beta_1,
    beta2: beta_2,
    ...others,
  };
  return options as OptimizerOptions;
}

function expectClose(found: ArrayLike<number>, wanted: number[]): void {
  expect(found.length).toBe(wanted.length);
  wanted.forEach((value, index) => {
    expect(Math.abs((found[index] as number) - value)).toBeLessThan(1e-6 * Math.max(1, Math.abs(value)));
  });
}

describe("steps of an optimizer are Keras' to a millionth", () => {
  it.each(recorded.map((steps) => [steps.name, steps] as const))("%s", async (_name, steps) => {
    const start = buildNetwork(readBlueprint(steps.network), 4, 1);
    arrays(start).forEach((values, index) => {
      values.set(steps.weights[index] as number[]);
    });
    const weights = steps.classWeights && steps.targets.map(([truth]) => steps.classWeights?.[truth as number] ?? 1);
    const samples = samplesOf(steps.x, steps.targets, weights ?? undefined);
    const figures: EpochFigures[] = [];
    const { optimizer, loss, epochs } = steps;
    const options = { ...plain, loss, optimizer: optimizerOf(optimizer), batchSize: 4, shuffle: false };
    const { network } = await fitNetwork(
      start,
      samples,
      undefined,
      { ...options, epochs: epochs.length },
      {
        onEpoch: (epoch) => figures.push(epoch),
      },
    );
    expectClose(
      figures.map((epoch) => epoch.loss),
      epochs.map((epoch) => epoch.loss),
    );
    arrays(network).forEach((values, index) => {
      expectClose(values, epochs.at(-1)?.weights[index] as number[]);
    });
    expectClose(await outputsFor(network, samples.inputs, samples.count), steps.outputs.flat());
    const oneEpoch = await fitNetwork(start, samples, undefined, { ...options, epochs: 1 });
    arrays(oneEpoch.network).forEach((values, index) => {
      expectClose(values, epochs[0]?.weights[index] as number[]);
    });
  });

  it("and the networks' descriptions survive being read and written", () => {
    for (const { network } of recorded) {
      const built = buildNetwork(readBlueprint(network), 4, 5);
      expect(buildNetwork(readBlueprint(describeNetwork(built)), 4, 5)).toEqual(built);
    }
  });
});
