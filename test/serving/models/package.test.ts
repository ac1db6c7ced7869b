import { mkdtemp, readdir, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { digestOf, hexOf } from "../../../src/common/digest.ts";
import { importModel } from "../../../src/serving/models/import.ts";
import { packageTar, readPackage } from "../../../src/serving/models/package.ts";
import { loadPackage } from "../../../src/serving/models/verify.ts";
import { exampleModel, goldenRows, installModel } from "../support.ts";

const model = await importModel(exampleModel("production"));
let modelsDir: string;

beforeEach(async () => {
  modelsDir = await mkdtemp(join(tmpdir(), "slipway-package-"));
});
afterEach(() => rm(modelsDir, { recursive: true }));

describe("a model package", () => {
  it("is the same bytes for the same model", async () => {
    const [first, second] = await Promise.all([
      packageTar(model),
      packageTar(await importModel(exampleModel("production"))),
    ]);
    expect(Buffer.from(first.bytes).equals(Buffer.from(second.bytes))).toBe(true);
    expect(first.digest).toBe(digestOf(first.bytes));
  });

  it("has another digest for another model", async () => {
    const other = await packageTar(await importModel(exampleModel("development")));
    expect(other.digest).not.toBe((await packageTar(model)).digest);
  });

  it("comes out of its archive as it was packed", async () => {
    const { digest } = await installModel(modelsDir, model);
    const folder = join(modelsDir, hexOf(digest));
    expect((await readdir(folder)).sort()).toEqual(["data.csv", "golden.json", "model.onnx", "slipway-model.json"]);
    const unpacked = await readPackage(folder);
    expect(unpacked).toEqual({ ...model, onnx: Buffer.from(model.onnx) });
  });

  it.each(["model.onnx", "golden.json", "data.csv", "slipway-model.json"])(
    "is refused with half of %s",
    async (name) => {
      const { digest } = await installModel(modelsDir, model);
      const folder = join(modelsDir, hexOf(digest));
      await truncate(join(folder, name), 20);
      await expect(loadPackage(folder)).rejects.toMatchObject({ code: "E_MODEL_INVALID" });
    },
  );

  it.each(["model.onnx", "golden.json", "data.csv", "slipway-model.json"])("is refused without %s", async (name) => {
    const { digest } = await installModel(modelsDir, model);
    const folder = join(modelsDir, hexOf(digest));
    await rm(join(folder, name));
    await expect(loadPackage(folder)).rejects.toMatchObject({ code: "E_MODEL_INVALID" });
  });

  it("does not load where it answers its golden rows wrongly", async () => {
    const outputs = goldenRows(model).outputs.map((output) => output + 0.001);
    const { digest } = await installModel(modelsDir, { ...model, golden: { ...goldenRows(model), outputs } });
    await expect(loadPackage(join(modelsDir, hexOf(digest)))).rejects.toMatchObject({ code: "E_GATE_FAILED" });
  });
});
