import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { hexOf } from "../../../src/common/digest.ts";
import { run } from "../../../src/common/process.ts";
import { openOnnxModel } from "../../../src/serving/models/onnx-model.ts";
import { type ModelPackage, packageTar } from "../../../src/serving/models/package.ts";
import { floatRows, floatsIn } from "../../../src/serving/tensors/raw-tensor.ts";

/** The 765 rows that come with the example model, with a header. */
export const diabetesRows = fileURLToPath(new URL("../../../models/diabetes/development/data.csv", import.meta.url));

type Layer = [units: number, activation: string];

/** A Sequential network of Dense layers in Keras' form. */
export function sequential(...layers: Layer[]): Record<string, unknown> {
  const dense = layers.map(([units, activation], index) => ({
    class_name: "Dense",
    config: { name: `dense_${index + 1}`, units, activation },
  }));
  return { class_name: "Sequential", config: { name: "test", layers: dense } };
}

/** The source system's network and its way of training. */
export const diabetesSpec = {
  kind: "network",
  network: sequential([12, "relu"], [8, "relu"], [1, "sigmoid"]),
  loss: "binary_crossentropy",
  epochs: 150,
  batchSize: 10,
  holdOut: 0,
};

/** An empty folder that goes with the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-training-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Lays a package out as a host does. */
export async function unpacked(model: ModelPackage): Promise<{ digest: `sha256:${string}`; folder: string }> {
  const { bytes, digest } = await packageTar(model);
  const folder = join(await temporaryFolder(), hexOf(digest));
  await mkdir(folder);
  await run("tar", ["-x", "-C", folder], { input: bytes });
  return { digest, folder };
}

/** Rows as CSV text. */
export function csv(rows: number[][]): string {
  return `${rows.map((row) => row.join(",")).join("\n")}\n`;
}

/** What ONNX Runtime answers for some rows. */
export async function answers(onnx: Uint8Array, rows: number[][]): Promise<number[]> {
  const model = await openOnnxModel(onnx);
  const [outputs] = await model.run([floatRows(Float32Array.from(rows.flat()), rows.length)]);
  await model.close();
  return [...floatsIn(outputs)];
}
