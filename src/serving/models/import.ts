import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { digestOfFile } from "../../common/digest.ts";
import type { ModelCard } from "./card.ts";
import { type ConvertedModel, convertModel } from "./convert.ts";
import { type Golden, goldenSchema, requireGolden } from "./golden.ts";
import { type OnnxModel, openOnnxModel } from "./onnx-model.ts";
import { type ModelPackage, parsed } from "./package.ts";
import { type ModelSources, modelSources } from "./sources.ts";
import { parseTable } from "./table.ts";

export type { ModelPackage } from "./package.ts";

const GOLDEN_ROWS = 7;

/**
 * Makes a package of a model: a folder with Keras' `model.json` and weights-only `model.h5`, with a whole `model.h5`, or with an ONNX
 * file; or the path of an ONNX file. `golden.json` and a CSV file beside the model come along. The result has answered its golden
 * rows on this machine.
 * @throws SlipwayError E_MODEL_INVALID, E_MODEL_LAYER_UNKNOWN, E_MODEL_MISMATCH
 */
export async function importModel(path: string): Promise<ModelPackage> {
  const sources = await modelSources(path);
  const converted = await convertModel(sources);
  const data = sources.data && (await readFile(sources.data, "utf8"));
  const table = data === undefined ? undefined : parseTable(data, converted.input.features);
  const model = await openOnnxModel(converted.onnx);
  try {
    const golden =
      (await goldenBeside(sources)) ?? (await computeGolden(converted, model, table?.rows.slice(0, GOLDEN_ROWS) ?? []));
    await requireGolden(model, golden);
    return { card: await cardOf(converted, sources, table?.columns), onnx: converted.onnx, golden, data };
  } finally {
    await model.close();
  }
}

async function goldenBeside({ golden }: ModelSources): Promise<Golden | undefined> {
  return golden === undefined ? undefined : parsed(goldenSchema, "golden.json", await readFile(golden, "utf8"));
}

/**
 * Golden rows for a model that brings none. Those of a converted model are computed without ONNX, so that they check the conversion;
 * an ONNX model's own answers still show on a host that it arrived whole and computes there as here.
 */
async function computeGolden(
  { reference, input }: ConvertedModel,
  model: OnnxModel,
  known: number[][],
): Promise<Golden> {
  const rows =
    known.length > 0 ? known : [new Array<number>(input.features).fill(0), new Array<number>(input.features).fill(1)];
  const origin = known.length > 0 ? "the first rows of the CSV file" : "made-up rows";
  if (reference) return { rows, outputs: rows.flatMap(reference), source: `computed at import in float64, ${origin}` };
  const outputs = await model.run(Float32Array.from(rows.flat()), rows.length);
  return { rows, outputs: [...outputs], source: `onnxruntime ${model.runtimeVersion} at import, ${origin}` };
}

async function cardOf(
  { input, output, format }: ConvertedModel,
  { description, weights, onnx }: ModelSources,
  columns: string[] | undefined,
): Promise<ModelCard> {
  const files = [description, weights, onnx].filter((file) => file !== undefined);
  return {
    schemaVersion: 1,
    input: { ...input, ...(columns && { columns }) },
    output,
    source: {
      format,
      files: await Promise.all(files.map(async (file) => ({ name: basename(file), digest: await digestOfFile(file) }))),
    },
  };
}
