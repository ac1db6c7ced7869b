import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { digestOfFile } from "../../common/digest.ts";
import { SlipwayError } from "../../common/errors.ts";
import { floatRows, floatsIn, type RawTensor } from "../tensors/raw-tensor.ts";
import type { ModelCard, RowForm } from "./card.ts";
import { type ConvertedModel, convertModel } from "./convert.ts";
import { type Golden, goldenInputs, goldenSchema, requireGolden } from "./golden.ts";
import { type OnnxModel, openOnnxModel } from "./onnx-model.ts";
import { type ModelPackage, parsed } from "./package.ts";
import { computesRowsAlone, goldenTensor, madeUpTensor, rowFormOf, withColumns } from "./reading.ts";
import { asHinted, readingHintsBeside } from "./reading-hints.ts";
import { type ModelSources, modelSources } from "./sources.ts";
import { parseTable, type Table } from "./table.ts";

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
  const model = await openOnnxModel(converted.onnx);
  try {
    const hints = sources.onnx === undefined ? {} : await readingHintsBeside(sources.onnx);
    const form = asHinted(rowFormOf(model, converted.meaning), hints);
    const { data, table } = await dataBeside(sources, form);
    const golden =
      (await goldenBeside(sources)) ??
      (await computeGolden(converted, model, form, table?.rows.slice(0, GOLDEN_ROWS) ?? []));
    await requireGolden(model, golden);
    const batching = model.mayBatch && (await computesRowsAlone(model, goldenInputs(model, golden)));
    const card: ModelCard = {
      schemaVersion: 2,
      platform: "onnx",
      inputs: model.inputs,
      outputs: model.outputs,
      batching,
      ...(form && batching && { rows: withColumns(form, table?.columns) }),
      source: await sourceOf(converted, sources),
    };
    return { card, onnx: converted.onnx, golden, data };
  } finally {
    await model.close();
  }
}

/** The file that travels with a model, read as its rows. */
async function dataBeside(
  { data: path }: ModelSources,
  form: RowForm | undefined,
): Promise<{ data?: string; table?: Table }> {
  if (path === undefined) return {};
  if (form === undefined) {
    throw new SlipwayError("E_MODEL_INVALID", "a CSV file lies beside a model that takes no rows of numbers", {
      hint: "Put the file elsewhere.",
    });
  }
  const data = await readFile(path, "utf8");
  return { data, table: parseTable(data, form.input.features) };
}

async function goldenBeside({ golden }: ModelSources): Promise<Golden | undefined> {
  return golden === undefined ? undefined : parsed(goldenSchema, "golden.json", await readFile(golden, "utf8"));
}

/**
 * Golden rows for a model that brings none. Those of a converted model are computed without ONNX, so that they check the conversion;
 * an ONNX model's own answers still show on a host that it arrived whole and computes there as here.
 */
async function computeGolden(
  { reference }: ConvertedModel,
  model: OnnxModel,
  form: RowForm | undefined,
  known: number[][],
): Promise<Golden> {
  const computedBy = `onnxruntime ${model.runtimeVersion} at import`;
  if (form === undefined) {
    const inputs = model.inputs.map(madeUpTensor);
    const outputs = await model.run(inputs);
    return {
      inputs: model.inputs.map((spec, index) => goldenTensor(spec, inputs[index] as RawTensor)),
      outputs: model.outputs.map((spec, index) => goldenTensor(spec, outputs[index] as RawTensor)),
      source: `${computedBy}, made-up tensors`,
    };
  }
  const { features } = form.input;
  const rows = known.length > 0 ? known : [new Array<number>(features).fill(0), new Array<number>(features).fill(1)];
  const origin = known.length > 0 ? "the first rows of the CSV file" : "made-up rows";
  if (reference) return { rows, outputs: rows.flatMap(reference), source: `computed at import in float64, ${origin}` };
  const [outputs] = await model.run([floatRows(Float32Array.from(rows.flat()), rows.length)]);
  return { rows, outputs: [...floatsIn(outputs)], source: `${computedBy}, ${origin}` };
}

async function sourceOf(
  { format }: ConvertedModel,
  { description, weights, onnx }: ModelSources,
): Promise<ModelCard["source"]> {
  const files = [description, weights, onnx].filter((file) => file !== undefined);
  return {
    format,
    files: await Promise.all(files.map(async (file) => ({ name: basename(file), digest: await digestOfFile(file) }))),
  };
}
