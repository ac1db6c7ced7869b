import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deviation } from "../../../../src/serving/models/golden.ts";
import { readKerasArchive } from "../../../../src/serving/models/keras/archive.ts";
import { type ConvertedNetwork, convertNetwork } from "../../../../src/serving/models/keras/convert.ts";
import { parseKerasModel } from "../../../../src/serving/models/keras/description.ts";
import { forward } from "../../../../src/serving/models/keras/forward.ts";
import { readKerasHdf5 } from "../../../../src/serving/models/keras/weights/hdf5-thread.ts";
import { openOnnxModel } from "../../../../src/serving/models/onnx-model.ts";
import { floatsIn } from "../../../../src/serving/tensors/raw-tensor.ts";
import { type ReferenceCase, rawInput, referenceCases, writeCase } from "./reference-cases.ts";

const cases = await referenceCases();
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-reference-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** The ways in which Keras wrote each model. */
const formats: Record<string, (path: string) => Promise<ConvertedNetwork>> = {
  "model.keras": async (path) => {
    const { description, version, weights } = await readKerasArchive(join(path, "model.keras"), "model.keras");
    return convertNetwork(parseKerasModel(description, version), weights);
  },
  "model.h5": async (path) => {
    const { description, version, weights } = await readKerasHdf5(join(path, "model.h5"));
    return convertNetwork(parseKerasModel(description, version), weights);
  },
  "model.json and model.h5": async (path) => {
    const description = JSON.parse(await readFile(join(path, "pair", "model.json"), "utf8"));
    const { version, weights } = await readKerasHdf5(join(path, "pair", "model.h5"));
    return convertNetwork(parseKerasModel(description, version), weights);
  },
};

/** How far a converted model's outputs are from what Keras computed in float64, for each output. */
async function deviations(converted: ConvertedNetwork, { inputs, outputs }: ReferenceCase): Promise<number[]> {
  const model = await openOnnxModel(converted.onnx);
  try {
    const answers = await model.run(inputs.map(rawInput));
    expect(answers.map(({ shape }) => shape)).toEqual(outputs.map(({ shape }) => shape));
    return outputs.map(({ values }, index) => {
      const found = floatsIn(answers[index]);
      return values.reduce((most, value, at) => Math.max(most, deviation(found[at] as number, value)), 0);
    });
  } finally {
    await model.close();
  }
}

describe("outputs are those of Keras in float64", () => {
  describe.each(cases.map((one) => [one.name, one] as const))("%s", (_, reference) => {
    it.each(Object.entries(formats))("%s", async (_format, read) => {
      const converted = await read(await writeCase(folder, reference));
      const far = (await deviations(converted, reference)).map((value) => (value <= 1e-5 ? "close" : value));
      expect(far).toEqual(reference.outputs.map(() => "close"));
    });
  });
});

describe("the computation without ONNX, where there is one, is that of Keras too", () => {
  const computed: string[] = [];
  it.each(cases.map((one) => [one.name, one] as const))("%s", async (name, reference) => {
    const { network } = await (formats["model.keras"] as (path: string) => Promise<ConvertedNetwork>)(
      await writeCase(folder, reference),
    );
    const rows = reference.inputs[0]?.shape[0] ?? 0;
    for (let row = 0; row < rows; row++) {
      const part = <T extends { shape: number[]; values: number[] }>({ shape, values }: T) => ({
        shape: shape.slice(1),
        values: values.slice((row * values.length) / rows, ((row + 1) * values.length) / rows),
      });
      const outputs = forward(network, reference.inputs.map(part));
      if (outputs === undefined) return;
      for (const [index, output] of outputs.entries()) {
        const expected = part(reference.outputs[index] as ReferenceCase["outputs"][number]);
        expect(output.shape).toEqual(expected.shape);
        expect(
          Math.max(...expected.values.map((value, at) => deviation(output.values[at] as number, value))),
        ).toBeLessThan(1e-7);
      }
    }
    computed.push(name);
  });

  it("there is one for plain networks", () => {
    expect(computed).toEqual(
      expect.arrayContaining(["keras2/dense-binary", "keras3/dense-classes", "keras3/dense-labels", "keras3/nested"]),
    );
  });
});
