import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { activations } from "../../../src/serving/models/activations.ts";
import { parseKerasNetwork } from "../../../src/serving/models/keras-network.ts";
import { convertToOnnx, forward } from "../../../src/serving/models/keras-onnx.ts";
import type { TrainedNetwork } from "../../../src/serving/models/keras-pair.ts";
import { openOnnxModel } from "../../../src/serving/models/onnx-model.ts";
import { floatRows, floatsIn } from "../../../src/serving/tensors/raw-tensor.ts";

/** 3 → 4 → 2 with weights that anyone can compute again. */
function network(activation: string): TrainedNetwork {
  const weights = (count: number, seed: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(seed + i));
  return {
    name: "test",
    features: 3,
    outputs: 2,
    layers: [
      { kind: "dense", name: "a", inputs: 3, outputs: 4, kernel: weights(12, 1), bias: weights(4, 2), activation },
      {
        kind: "dense",
        name: "b",
        inputs: 4,
        outputs: 2,
        kernel: weights(8, 3),
        bias: weights(2, 4),
        activation: "linear",
      },
      { kind: "activation", name: "c", activation },
    ],
  };
}

describe("a converted network computes what the network does", () => {
  it.each([...activations.keys()])("%s", async (activation) => {
    const model = await openOnnxModel(convertToOnnx(network(activation)));
    // an exponential of an exponential makes a relative error of what was an absolute one, and soon leaves single precision
    const reach = activation === "exponential" ? 0.5 : 3;
    const row = fc.array(fc.float({ min: -reach, max: reach, noNaN: true }), { minLength: 3, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 5 }), async (rows) => {
        const outputs = floatsIn((await model.run([floatRows(Float32Array.from(rows.flat()), rows.length)]))[0]);
        const expected = rows.flatMap((values) => forward(network(activation), values));
        expected.forEach((value, index) => {
          expect(Math.abs((outputs[index] as number) - value)).toBeLessThan(1e-5 * Math.max(1, Math.abs(value)));
        });
      }),
      { numRuns: 20 },
    );
    await model.close();
  });
});

describe("a Keras description", () => {
  const dense = { class_name: "Dense", config: { name: "d", units: 2, activation: "softmax" } };
  const sequential = (...layers: unknown[]) => ({ class_name: "Sequential", config: { name: "s", layers } });
  const input = (shape: (number | null)[]) => ({ class_name: "InputLayer", config: { name: "i", batch_shape: shape } });

  it("may hold layers that compute nothing when serving", () => {
    const dropout = { class_name: "Dropout", config: { name: "o", rate: 0.5 } };
    const { layers, features } = parseKerasNetwork(sequential(input([null, 4]), dropout, dense));
    expect(layers).toEqual([{ kind: "dense", name: "d", units: 2, useBias: true, activation: "softmax" }]);
    expect(features).toBe(4);
  });

  it("may flatten rows of more dimensions", () => {
    const flatten = { class_name: "Flatten", config: { name: "f" } };
    expect(parseKerasNetwork(sequential(input([null, 28, 28]), flatten, dense)).features).toBe(784);
    expect(() => parseKerasNetwork(sequential(input([null, 28, 28]), dense))).toThrow(/does not flatten/);
  });

  it.each([
    ["a functional network", { class_name: "Functional", config: {} }, /"Functional" network/],
    ["a list", [], /description is not as Keras writes it/],
    ["a layer without units", sequential({ class_name: "Dense", config: { name: "d" } }), /layer d \(Dense\)/],
    ["an open input", sequential(input([null, null]), dense), /leaves the length of a row open/],
  ])("is refused: %s", (_what, description, message) => {
    expect(() => parseKerasNetwork(description)).toThrow(message);
  });
});
