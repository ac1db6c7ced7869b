import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { importModel } from "../../../../src/serving/models/import.ts";
import { verifyGolden } from "../../../../src/serving/models/verify.ts";
import { type ReferenceCase, referenceCases, writeCase } from "./reference-cases.ts";

const cases = await referenceCases();
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-keras-import-"));
});
afterAll(() => rm(folder, { recursive: true }));

const written = (name: string) => writeCase(folder, cases.find((one) => one.name === name) as ReferenceCase);

/** A folder with some files of a case, under other names. */
async function folderWith(name: string, files: Record<string, string>): Promise<string> {
  const from = await written(name);
  const made = await mkdtemp(join(folder, "made-"));
  for (const [target, source] of Object.entries(files)) await cp(join(from, source), join(made, target));
  return made;
}

describe("a Keras model is imported", () => {
  it.each<[string, Record<string, string>, string, string]>([
    ["a .keras file by its path", { "any name.keras": "model.keras" }, "any name.keras", "keras-zip"],
    ["a folder with one .keras file", { "any name.keras": "model.keras" }, "", "keras-zip"],
    [
      "a folder with several, one of them model.keras",
      { "a.keras": "model.keras", "model.keras": "model.keras" },
      "",
      "keras-zip",
    ],
    ["a whole HDF5 file by its path", { "any name.h5": "model.h5" }, "any name.h5", "keras-h5"],
    ["a folder with a whole model.h5", { "model.h5": "model.h5" }, "", "keras-h5"],
    [
      "a folder with model.json and model.h5",
      { "model.json": "pair/model.json", "model.h5": "pair/model.h5" },
      "",
      "keras-json+h5",
    ],
    [
      "a folder with weights under Keras 3's name",
      { "model.json": "pair/model.json", "model.weights.h5": "pair/model.h5" },
      "",
      "keras-json+h5",
    ],
    [
      "weights by their path, the description beside them",
      { "model.json": "pair/model.json", "model.weights.h5": "pair/model.h5" },
      "model.weights.h5",
      "keras-json+h5",
    ],
  ])("from %s", async (_, files, path, format) => {
    const { card, golden } = await importModel(join(await folderWith("keras3/dense-binary", files), path));
    expect(card).toMatchObject({
      batching: true,
      rows: { input: { features: 4 }, output: { kind: "binary" } },
      source: { format },
    });
    expect(golden.source).toBe("computed at import in float64, made-up rows");
  });

  it.each<[string, Record<string, string>]>([
    ["two .keras files", { "a.keras": "model.keras", "b.keras": "model.keras" }],
    ["a .keras file and an HDF5 file", { "model.keras": "model.keras", "model.h5": "model.h5" }],
    [
      "weights under two names",
      { "model.json": "pair/model.json", "model.h5": "pair/model.h5", "model.weights.h5": "pair/model.h5" },
    ],
  ])("unless it is unclear which: %s", async (_, files) => {
    await expect(importModel(await folderWith("keras3/dense-binary", files))).rejects.toMatchObject({
      code: "E_MODEL_INVALID",
      message: expect.stringMatching(/which\?/),
    });
  });

  it.each([
    ["dense-classes", { kind: "classes", classes: 3 }],
    ["dense-values", { kind: "values", width: 2 }],
    ["dense-labels", { kind: "values", width: 3 }],
    ["embedding-of-floats", undefined],
  ])("and read as its last activation means it: %s", async (name, output) => {
    const { card } = await importModel(join(await written(`keras2/${name}`), "model.keras"));
    expect(card.rows?.output).toEqual(output && { name: "output", ...output });
  });
});

describe("a Keras model that takes no rows of numbers", () => {
  it("has the tensors of its layers' names, and golden ones that it answers", async () => {
    const model = await importModel(join(await written("keras3/several"), "model.keras"));
    expect(model.card).toMatchObject({
      inputs: [
        { name: "words", datatype: "INT32", shape: [-1, 5] },
        { name: "numbers", datatype: "FP32", shape: [-1, 4] },
      ],
      outputs: [
        { name: "kind", datatype: "FP32", shape: [-1, 2] },
        { name: "size", datatype: "FP32", shape: [-1, 1] },
      ],
      batching: true,
    });
    expect(model.card).not.toHaveProperty("rows");
    expect(model.golden).toMatchObject({ source: expect.stringMatching(/^onnxruntime .* made-up tensors$/) });
    await expect(verifyGolden(model)).resolves.toHaveLength(2);
  });

  it.each([
    [
      "whose layers are plain: its golden tensors are computed without ONNX",
      "keras3/dense-rank-3",
      /^computed at import in float64, made-up tensors$/,
    ],
    ["of images", "keras3/cnn", /^onnxruntime/],
    ["of sequences of any length, longer than its windows", "keras2/conv-open-length", /^onnxruntime/],
  ])("%s", async (_, name, source) => {
    const model = await importModel(join(await written(name), "model.h5"));
    expect(model.golden.source).toMatch(source);
    expect(model.card.batching).toBe(true);
    expect((await verifyGolden(model)).length).toBeGreaterThan(0);
  });
});
