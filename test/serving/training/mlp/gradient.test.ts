import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { activationFunctions } from "../../../../src/serving/training/mlp/activation-functions.ts";
import { buildNetwork, readBlueprint } from "../../../../src/serving/training/mlp/keras-json.ts";
import type { LossName } from "../../../../src/serving/training/mlp/losses.ts";
import { withFlatParameters } from "../../../../src/serving/training/mlp/network.ts";
import { Random } from "../../../../src/serving/training/mlp/random.ts";
import { lossAndGradient, samplesOf } from "./support.ts";

const STEP = 1e-5;

/** Ends that fit a loss, and what its targets are. */
const ends: Record<LossName, { activation: string; targets: (random: Random, width: number) => number[] }> = {
  binary_crossentropy: {
    activation: "sigmoid",
    targets: (random, width) => Array.from({ length: width }, () => random.below(2)),
  },
  categorical_crossentropy: {
    activation: "softmax",
    targets: (random, width) => {
      const truth = random.below(width);
      return Array.from({ length: width }, (_, i) => (i === truth ? 1 : 0));
    },
  },
  sparse_categorical_crossentropy: { activation: "softmax", targets: (random, width) => [random.below(width)] },
  mse: { activation: "tanh", targets: (random, width) => Array.from({ length: width }, () => random.normal()) },
  mae: { activation: "linear", targets: (random, width) => Array.from({ length: width }, () => random.normal()) },
};

describe("the gradient is that of numeric differentiation", () => {
  const hidden = fc.record({
    units: fc.integer({ min: 1, max: 5 }),
    activation: fc.constantFrom(...activationFunctions.keys()),
    use_bias: fc.boolean(),
    l2: fc.constantFrom(0, 0.05),
  });

  it.each(Object.keys(ends) as LossName[])("%s", (loss) => {
    const widths = loss.includes("categorical") ? { min: 2, max: 4 } : { min: 1, max: 3 };
    fc.assert(
      fc.property(
        fc.array(hidden, { minLength: 0, maxLength: 3 }),
        fc.integer(widths),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 0, max: 2 ** 32 - 1 }),
        (layers, width, rows, seed) => {
          const dense = [...layers, { units: width, activation: ends[loss].activation, use_bias: true, l2: 0 }];
          const described = dense.map(({ l2, ...config }, index) => ({
            class_name: "Dense",
            config: {
              ...config,
              name: `layer ${index}`,
              bias_initializer: "random_normal",
              kernel_regularizer: { class_name: "L2", config: { l2 } },
            },
          }));
          const blueprint = readBlueprint({ class_name: "Sequential", config: { layers: described } });
          const { network, parameters } = withFlatParameters(buildNetwork(blueprint, 3, seed));
          const random = Random.of(seed, "split");
          const inputs = Array.from({ length: rows }, () => Array.from({ length: 3 }, () => random.normal()));
          const samples = samplesOf(
            inputs,
            inputs.map(() => ends[loss].targets(random, width)),
          );
          const { gradient } = lossAndGradient(network, loss, samples);
          const at = (index: number, shift: number) => {
            const kept = parameters[index] as number;
            parameters[index] = kept + shift;
            const value = lossAndGradient(network, loss, samples).loss;
            parameters[index] = kept;
            return value;
          };
          for (let index = 0; index < parameters.length; index++) {
            const forwards = (at(index, STEP) - at(index, 0)) / STEP;
            const backwards = (at(index, 0) - at(index, -STEP)) / STEP;
            const slope = gradient[index] as number;
            const size = Math.max(1, Math.abs(slope));
            // at a corner (relu, |error|) the one-sided slopes differ, and the gradient is one of them or between
            const corner = Math.abs(forwards - backwards) / size;
            expect(Math.abs(slope - (forwards + backwards) / 2) / size).toBeLessThan(1e-4 + corner);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
