import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../src/common/process.ts";
import { type ClassPrediction, decide, type RowForm } from "../../../src/serving/models/card.ts";
import { importModel } from "../../../src/serving/models/import.ts";
import { openOnnxModel } from "../../../src/serving/models/onnx-model.ts";
import type { ModelPackage } from "../../../src/serving/models/package.ts";
import { differenceOf, probeOf } from "../../../src/serving/models/probe.ts";
import { parseTable } from "../../../src/serving/models/table.ts";
import { verifyGolden } from "../../../src/serving/models/verify.ts";
import { floatRows, floatsIn } from "../../../src/serving/tensors/raw-tensor.ts";
import { exampleModel, goldenRows, labModel, labModelsAbsent } from "../support.ts";

const fullModel = fileURLToPath(new URL("../fixtures/full-model", import.meta.url));
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-import-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Every row of a CSV file through the package's model. */
async function predictAll(model: ModelPackage, csv: string) {
  const form = model.card.rows as RowForm;
  const { rows, labels } = parseTable(await readFile(csv, "utf8"), form.input.features);
  const loaded = await openOnnxModel(model.onnx);
  const [outputs] = await loaded.run([floatRows(Float32Array.from(rows.flat()), rows.length)]);
  const predictions = decide(form.output, floatsIn(outputs)) as ClassPrediction[];
  await loaded.close();
  const right = predictions.filter((prediction, row) => prediction.class === labels?.[row]).length;
  return { predictions, accuracy: (right / rows.length) * 100 };
}

/** A copy of an example model, to be spoilt. */
async function copyOf(variant: "production" | "development", name: string): Promise<string> {
  const copy = join(folder, name);
  await cp(exampleModel(variant), copy, { recursive: true });
  return copy;
}

/** Changes a copy's model.json. */
async function rewrite(path: string, change: (text: string) => string): Promise<void> {
  await writeFile(join(path, "model.json"), change(await readFile(join(path, "model.json"), "utf8")));
}

describe("the models that come with the project", () => {
  it.each(["production", "development"] as const)("%s answers as Keras did", async (variant) => {
    const model = await importModel(exampleModel(variant));
    const golden = JSON.parse(await readFile(join(exampleModel(variant), "golden.json"), "utf8"));
    const outputs = await verifyGolden(model);
    expect(outputs).toHaveLength(golden.rows.length);
    expect(outputs).toEqual(golden.outputs.map((output: number) => expect.closeTo(output, 5)));
    expect(model.golden.source).toMatch(/^keras /);
    expect(model.card).toMatchObject({
      rows: { input: { features: 8 } },
      batching: true,
      source: { format: "keras-json+h5" },
    });
    expect(model.data).toBeDefined();
  });

  it("is also read from a whole model.h5", async () => {
    const model = await importModel(fullModel);
    expect(model.card.source).toMatchObject({ format: "keras-h5", files: [{ name: "model.h5" }] });
    await expect(verifyGolden(model)).resolves.toEqual(
      goldenRows(model).outputs.map((output) => expect.closeTo(output, 5)),
    );
  });
});

describe.skipIf(labModelsAbsent)(`the source system's models${labModelsAbsent ? ` (${labModelsAbsent})` : ""}`, () => {
  const sevenRows = join(labModel("production"), "pima-indians-diabetes.csv");
  const allRows = join(labModel("development"), "pima-indians-diabetes.csv");

  it.each([
    {
      variant: "production",
      classes: [0, 1, 1, 0, 0, 0, 0],
      p: [0.34846, 0.57979, 0.60525, 0.27471, 0.26593, 0.26512, 0.48892],
    },
    {
      variant: "development",
      classes: [0, 1, 1, 1, 0, 0, 1],
      p: [0.34181, 0.60692, 0.56056, 0.55683, 0.40254, 0.20865, 0.56295],
    },
  ] as const)("$variant predicts what it always has", async ({ variant, classes, p }) => {
    const { predictions, accuracy } = await predictAll(await importModel(labModel(variant)), sevenRows);
    expect(predictions.map((prediction) => prediction.class)).toEqual(classes);
    const distances = predictions.map(({ probability }, row) => Math.abs(probability - (p[row] as number)));
    expect(Math.max(...distances)).toBeLessThan(1e-5);
    expect(accuracy).toBeCloseTo(71.428571, 5);
  });

  it.each([
    ["production", 75.686275],
    ["development", 79.215686],
  ] as const)("%s is right on %d %% of the training rows", async (variant, expected) => {
    const { accuracy } = await predictAll(await importModel(labModel(variant)), allRows);
    expect(accuracy).toBeCloseTo(expected, 5);
  });

  it("has golden rows computed without ONNX", async () => {
    const golden = goldenRows(await importModel(labModel("production")));
    expect(golden.rows).toHaveLength(7);
    expect(golden.source).toContain("float64");
  });
});

describe("an ONNX file", () => {
  it("is served as it is, from its folder or by its path", async () => {
    const { onnx } = await importModel(exampleModel("production"));
    const path = join(folder, "net.onnx");
    await writeFile(path, onnx);
    const byPath = await importModel(path);
    expect(Buffer.from(byPath.onnx).equals(Buffer.from(onnx))).toBe(true);
    expect(byPath.card).toMatchObject({
      rows: { input: { features: 8 }, output: { kind: "binary" } },
      source: { format: "onnx" },
    });
    expect(byPath.golden.source).toContain("made-up rows");
    const alone = join(folder, "alone");
    await cp(path, join(alone, "model.onnx"));
    expect((await importModel(alone)).card.source.files).toMatchObject([{ name: "model.onnx" }]);
  });

  it("is refused when it is none", async () => {
    await writeFile(join(folder, "text.onnx"), "not a model");
    await expect(importModel(join(folder, "text.onnx"))).rejects.toMatchObject({ code: "E_MODEL_INVALID" });
  });
});

describe("what does not belong together is refused", () => {
  it("weights and description of two trainings, by the golden rows", async () => {
    const path = await copyOf("production", "other-weights");
    await cp(join(exampleModel("development"), "model.h5"), join(path, "model.h5"));
    await expect(importModel(path)).rejects.toMatchObject({
      code: "E_MODEL_MISMATCH",
      message: expect.stringMatching(/golden row \d+: the model answers .* keras/),
    });
  });

  it.each([
    ["another layer name", (json: string) => json.replaceAll("dense_2", "dense_9"), /dense_9.*dense_2/],
    ["another shape", (json: string) => json.replace(/"units": 8\b/, '"units": 9'), /dense_2 needs kernel 12×9.*12×8/],
    ["another input", (json: string) => json.replaceAll("[null, 8]", "[null, 7]"), /dense_1 needs kernel 7×12.*8×12/],
    [
      "a bias too many",
      (json: string) => json.replace('"use_bias": true', '"use_bias": false'),
      /dense_1 needs kernel 8×12;/,
    ],
  ])("%s", async (what, change, message) => {
    const path = await copyOf("production", what.replaceAll(" ", "-"));
    await rewrite(path, change);
    await expect(importModel(path)).rejects.toMatchObject({
      code: "E_MODEL_MISMATCH",
      message: expect.stringMatching(message),
    });
  });

  it("golden rows that are farther off than golden.json lets through", async () => {
    const path = await copyOf("production", "tolerance");
    const golden = JSON.parse(await readFile(join(path, "golden.json"), "utf8"));
    const outputs = golden.outputs.map((output: number) => output + 5e-4);
    const told = (tolerance?: number) => JSON.stringify({ ...golden, outputs, tolerance });
    await writeFile(join(path, "golden.json"), told());
    await expect(importModel(path)).rejects.toMatchObject({ code: "E_MODEL_MISMATCH" });
    await writeFile(join(path, "golden.json"), told(1e-3));
    const model = await importModel(path);
    await expect(verifyGolden(model)).resolves.toHaveLength(golden.rows.length);
    const probe = probeOf("diabetes", model.card, model.golden);
    expect(probe.tolerance).toBe(1e-3);
    const served = (off: number) => probe.expected.map((value) => (value as number) + off);
    expect(differenceOf(probe, served(9e-4))).toBeUndefined();
    expect(differenceOf(probe, served(1.1e-3))).toMatch(/is served/);
    await writeFile(join(path, "golden.json"), told(0.5));
    await expect(importModel(path)).rejects.toMatchObject({
      code: "E_MODEL_INVALID",
      message: expect.stringMatching(/golden\.json.*tolerance/s),
    });
  });

  it("golden rows of another length", async () => {
    const path = await copyOf("production", "golden");
    await writeFile(join(path, "golden.json"), JSON.stringify({ rows: [[1, 2]], outputs: [1], source: "a test" }));
    await expect(importModel(path)).rejects.toMatchObject({ code: "E_MODEL_MISMATCH" });
  });
});

describe("what cannot be converted is named", () => {
  it.each([
    [
      "layer",
      (json: string) => json.replace('"class_name": "Dense"', '"class_name": "ConvLSTM2D"'),
      /dense_1 is a ConvLSTM2D/,
    ],
    [
      "activation",
      (json: string) => json.replace('"activation": "sigmoid"', '"activation": "sparsemax"'),
      /dense_1 .*"sparsemax"/,
    ],
  ])("an unknown %s", async (what, change, message) => {
    const path = await copyOf("production", `unknown-${what}`);
    await rewrite(path, change);
    await expect(importModel(path)).rejects.toMatchObject({
      code: "E_MODEL_LAYER_UNKNOWN",
      message: expect.stringMatching(message),
    });
  });
});

describe("half a model is refused", () => {
  it.each([
    ["nothing", [], /holds no model/],
    ["a description alone", ["model.json"], /no weights/],
    ["weights alone", ["model.h5"], /no model.json beside it/],
  ])("%s", async (what, files, message) => {
    const path = join(folder, `half-${what}`);
    await cp(exampleModel("production"), path, {
      recursive: true,
      filter: (from) => from === exampleModel("production") || files.some((file) => from.endsWith(file)),
    });
    await expect(importModel(path)).rejects.toMatchObject({
      code: "E_MODEL_INVALID",
      message: expect.stringMatching(message),
    });
  });

  it("a path that is not there", async () => {
    await expect(importModel(join(folder, "nowhere"))).rejects.toMatchObject({ code: "E_MODEL_INVALID" });
  });

  it.each([
    ["cut short", async (path: string) => (await readFile(path)).subarray(0, 3000), /cannot be read: truncated file/],
    ["no HDF5", async () => Buffer.from("<html>404</html>"), /it is no HDF5 file/],
  ])("weights that are %s", async (what, content, message) => {
    const path = await copyOf("production", `weights-${what}`);
    await writeFile(join(path, "model.h5"), await content(join(path, "model.h5")));
    await expect(importModel(path)).rejects.toMatchObject({
      code: "E_MODEL_INVALID",
      message: expect.stringMatching(message),
    });
  });

  it("a description that is no JSON", async () => {
    const path = await copyOf("production", "no-json");
    await rewrite(path, (json) => json.slice(0, 100));
    await expect(importModel(path)).rejects.toMatchObject({ code: "E_MODEL_INVALID" });
  });

  it.each([
    ["a short line", "1,2,3,4,5,6,7,8,1\n1,2,3\n", /line 2 has 3 columns/],
    ["text", "1,2,3,4,5,6,7,8,1\n1,2,x,4,5,6,7,8,1\n", /line 2, column 3: "x"/],
    ["other columns", "1,2,3\n", /3 columns; the model takes 8/],
  ])("a CSV file with %s", async (what, text, message) => {
    const path = await copyOf("production", `csv-${what}`);
    await writeFile(join(path, "data.csv"), text);
    await expect(importModel(path)).rejects.toMatchObject({
      code: "E_MODEL_INVALID",
      message: expect.stringMatching(message),
    });
  });
});

it("nothing of an import keeps the process from ending", async () => {
  const root = join(import.meta.dirname, "../../..");
  const script = `const { importAnyModel } = await import(${JSON.stringify(join(root, "src/serving/models/import-any.ts"))});
    await importAnyModel(${JSON.stringify(join(root, "models/diabetes/production"))});
    console.log(process.getActiveResourcesInfo().join());`;
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script]);
  expect(stdout).not.toContain("MessagePort");
});
