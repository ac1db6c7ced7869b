import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SlipwayError } from "../../../../src/common/errors.ts";
import { importModel } from "../../../../src/serving/models/import.ts";
import { outlineOf } from "../../../../src/serving/models/onnx-file/inspect.ts";
import { WireError } from "../../../../src/serving/models/onnx-file/wire.ts";
import { openOnnxModel } from "../../../../src/serving/models/onnx-model.ts";
import { floatRows, floatsIn } from "../../../../src/serving/tensors/raw-tensor.ts";
import { onnxFile, type TestNode, type TestTensor } from "./files.ts";

let folder: string;
let made = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-onnx-"));
});
afterAll(() => rm(folder, { recursive: true }));

const floats = (...values: number[]) => Buffer.from(Float32Array.from(values).buffer);

/** Writes a model's folder. */
async function written(files: Record<string, Uint8Array | string>): Promise<string> {
  const path = join(folder, String(made++), "model");
  await mkdir(path, { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(path, name, ".."), { recursive: true });
    await writeFile(join(path, name), content);
  }
  return path;
}

const product: TestNode = { op: "MatMul", inputs: ["x", "w"], output: "y" };
const weights = (external: Record<string, string>): TestTensor => ({ name: "w", dims: [2, 2], external });
const withWeights = (external: Record<string, string>) =>
  onnxFile({ nodes: [product], tensors: [weights(external)], features: 2, width: 2 });

async function answers(onnx: Uint8Array, row: number[]): Promise<number[]> {
  const model = await openOnnxModel(onnx);
  try {
    return [...floatsIn((await model.run([floatRows(Float32Array.from(row), 1)]))[0])];
  } finally {
    await model.close();
  }
}

describe("an ONNX file with data in other files", () => {
  it("is packed as one, and answers what its numbers say", async () => {
    const path = await written({
      "model.onnx": withWeights({ location: "data/weights.bin", offset: "8", length: "16" }),
      "data/weights.bin": Buffer.concat([floats(9, 9), floats(1, 2, 3, 4), floats(9)]),
    });
    const { onnx } = await importModel(path);
    expect(outlineOf(onnx).external).toEqual([]);
    // [1, 10] · [[1, 2], [3, 4]]
    expect(await answers(onnx, [1, 10])).toEqual([31, 42]);
  });

  it("is packed as one where a constant within the graph has it", async () => {
    const value: TestTensor = { name: "inner", dims: [2], external: { location: "b" } };
    const nodes: TestNode[] = [
      { op: "Constant", inputs: [], output: "b", value },
      { op: "Add", inputs: ["x", "b"], output: "y" },
    ];
    const path = await written({ "model.onnx": onnxFile({ nodes, features: 2, width: 2 }), b: floats(0.5, 7) });
    expect(await answers((await importModel(path)).onnx, [1, 1])).toEqual([1.5, 8]);
  });

  it.each([
    ["at an absolute path", { location: "/etc/hostname" }, "outside of the model's folder"],
    ["above its folder", { location: "../secret" }, "outside of the model's folder"],
    ["above its folder by a detour", { location: "data/../../secret" }, "outside of the model's folder"],
    ["behind a link to a file", { location: "link" }, "is a link"],
    ["behind a link to a folder", { location: "up/secret" }, "is a link"],
    ["nowhere", { location: "missing" }, "there is no missing"],
    ["in a folder", { location: "data" }, "is no file"],
    ["beyond the end", { location: "data/weights.bin", offset: "8", length: "16" }, "ends beyond"],
    ["at no number", { location: "data/weights.bin", offset: "-8" }, "offset is no number"],
    ["without a place", {}, "outside of the model's folder"],
  ])("%s is refused, and the tensor named", async (_where, external, reason) => {
    const path = await written({ "model.onnx": withWeights(external), "data/weights.bin": floats(1, 2, 3, 4) });
    await writeFile(join(path, "..", "secret"), floats(1, 2, 3, 4));
    await symlink("../secret", join(path, "link"));
    await symlink("..", join(path, "up"));
    const refusal = importModel(path);
    await expect(refusal).rejects.toMatchObject({ code: "E_MODEL_INVALID", message: expect.stringContaining(reason) });
    await expect(refusal).rejects.toThrow("tensor w");
  });

  it("is not given to ONNX Runtime as it is", async () => {
    await expect(openOnnxModel(withWeights({ location: "weights.bin" }))).rejects.toMatchObject({
      code: "E_MODEL_INVALID",
      message: expect.stringContaining("the data of tensor w is in another file"),
    });
  });
});

describe("the operator that makes the output", () => {
  const w = (width: number): TestTensor => ({ name: "w", dims: [2, width], values: new Array(2 * width).fill(0.1) });
  const ending = async (width: number, ...ops: string[]) => {
    const nodes = ["MatMul", ...ops].map((op, index) => ({
      op,
      inputs: index === 0 ? ["x", "w"] : [`t${index - 1}`],
      output: index === ops.length ? "y" : `t${index}`,
    }));
    return written({ "model.onnx": onnxFile({ nodes, tensors: [w(width)], features: 2, width }) });
  };

  it.each([
    [3, ["Softmax"], { kind: "classes", classes: 3 }],
    [3, ["Softmax", "Identity"], { kind: "classes", classes: 3 }],
    [1, ["Sigmoid"], { kind: "binary", threshold: 0.5 }],
    [3, ["Sigmoid"], { kind: "values", width: 3 }],
    [1, ["Softmax"], { kind: "values", width: 1 }],
    [1, ["Relu"], { kind: "values", width: 1 }],
    [2, [], { kind: "values", width: 2 }],
  ])("of %i numbers and %j tells how they are read", async (width, ops, output) => {
    const { card } = await importModel(await ending(width, ...ops));
    expect(card.rows?.output).toMatchObject(output);
  });

  it("is overruled by model.yaml", async () => {
    const path = await ending(1, "Relu");
    await writeFile(join(path, "model.yaml"), "columns: [height, weight]\noutput: {kind: binary, threshold: 0.3}\n");
    expect((await importModel(path)).card.rows).toMatchObject({
      input: { columns: ["height", "weight"] },
      output: { kind: "binary", threshold: 0.3 },
    });
  });

  it.each([
    ["columns: [one]", "1 columns are named"],
    ["output: {kind: classes}", "answers one"],
    ["output: {kind: guess}", "Invalid"],
    ["outputs: 3", "Unrecognized"],
    ["[", "model.yaml"],
  ])("is not overruled by %s", async (text, reason) => {
    const path = await ending(1, "Relu");
    await writeFile(join(path, "model.yaml"), text);
    await expect(importModel(path)).rejects.toMatchObject({
      code: "E_MODEL_INVALID",
      message: expect.stringContaining(reason),
    });
  });
});

describe("an ONNX file that cannot serve", () => {
  it("because of an operator that is not ONNX' own is refused by the operator's name", async () => {
    const nodes: TestNode[] = [{ op: "Magic", domain: "com.example", inputs: ["x"], output: "y" }];
    const onnx = onnxFile({ nodes, features: 1, width: 1, domains: ["com.example"] });
    await expect(openOnnxModel(onnx)).rejects.toMatchObject({
      code: "E_MODEL_INVALID",
      message: expect.stringContaining("the operator Magic of com.example"),
    });
  });

  it("whatever was changed in it or cut off is refused, or loads, and the process lives", {
    timeout: 60_000,
  }, async () => {
    const nodes = [product, { op: "Sigmoid", inputs: ["y"], output: "z" }];
    const good = onnxFile({
      nodes,
      tensors: [{ name: "w", dims: [2, 2], values: [1, 2, 3, 4] }],
      features: 2,
      width: 2,
    });
    const change = fc.tuple(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 5 }), fc.nat(good.length), async (changes, cut) => {
        const bytes = Uint8Array.from(good);
        for (const [place, value] of changes) bytes[place] = value;
        try {
          await (await openOnnxModel(cut % 3 === 0 ? bytes.subarray(0, cut) : bytes)).close();
        } catch (error) {
          expect(error).toBeInstanceOf(SlipwayError);
          expect(error).toMatchObject({ code: "E_MODEL_INVALID" });
        }
      }),
      { numRuns: 300 },
    );
  });

  it("because it is anything else is refused by its outline", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          outlineOf(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }),
      { numRuns: 2000 },
    );
    for (const text of ["", "PK\u0003\u0004", "\u0089HDF\r\n", "<html>", "version https://git-lfs"]) {
      expect(() => outlineOf(Buffer.from(text, "latin1"))).toThrow(WireError);
    }
  });

  it("because its graphs are nested without end is refused before the stack is full", () => {
    let graph = new Uint8Array();
    const within = (number: number, content: Uint8Array) => {
      const head: number[] = [number * 8 + 2];
      let length = content.length;
      for (; length >= 128; length = Math.floor(length / 128)) head.push((length % 128) + 128);
      return Uint8Array.from([...head, length, ...content]);
    };
    for (let depth = 0; depth < 300; depth++) graph = within(1, within(5, within(6, graph)));
    expect(() => outlineOf(within(7, graph))).toThrow("nested too deeply");
  });
});
