import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { digestOfFile } from "../../common/digest.ts";
import { messageOf, SlipwayError } from "../../common/errors.ts";
import { floatRows, floatsIn, numbersIn, type RawTensor } from "../tensors/raw-tensor.ts";
import type { ModelCard, RowForm } from "./card.ts";
import { type ConvertedModel, convertModel } from "./convert.ts";
import { type Golden, goldenInputs, goldenSchema, requireGolden, toleranceOf } from "./golden.ts";
import type { Row } from "./keras/layer-kind.ts";
import { type OnnxModel, openOnnxModel } from "./onnx-model.ts";
import { type ModelPackage, parsed } from "./package.ts";
import { goldenTensor, madeUpTensor, rowFormOf, withColumns } from "./reading.ts";
import { asHinted, readingHintsBeside } from "./reading-hints.ts";
import { computesRowsAlone } from "./rows-alone.ts";
import { type ModelSources, modelSources } from "./sources.ts";
import { parseTable, type Table } from "./table.ts";

export type { ModelPackage } from "./package.ts";

const GOLDEN_ROWS = 7;

/**
 * Makes a package of a model: a folder with Keras' `model.json` and weights-only `model.h5`, with a whole `model.h5`, a `model.keras`
 * or an ONNX file; or the path of such a file. `golden.json` and a CSV file beside the model come along. The result has answered its
 * golden rows on this machine.
 * @throws SlipwayError E_MODEL_INVALID, E_MODEL_LAYER_UNKNOWN, E_MODEL_MISMATCH
 */
export async function importModel(path: string): Promise<ModelPackage> {
  const sources = await modelSources(path);
  const converted = await convertModel(sources);
  const model = saidToFail(await openOnnxModel(converted.onnx));
  try {
    const hints = sources.onnx === undefined ? {} : await readingHintsBeside(sources.onnx);
    const form = asHinted(rowFormOf(model, converted.meaning), hints);
    const { data, table } = await dataBeside(sources, form);
    const golden =
      (await goldenBeside(sources)) ??
      (await computeGolden(converted, model, form, table?.rows.slice(0, GOLDEN_ROWS) ?? []));
    await requireGolden(model, golden);
    const batching =
      model.mayBatch && (await computesRowsAlone(model, goldenInputs(model, golden), toleranceOf(golden)));
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
 * Golden rows for a model that brings none. Those of a converted model are computed without ONNX where its layers are simple, so that
 * they check the conversion; ONNX Runtime's own answers still show on a host that the model arrived whole and computes there as here.
 */
async function computeGolden(
  { reference }: ConvertedModel,
  model: OnnxModel,
  form: RowForm | undefined,
  known: number[][],
): Promise<Golden> {
  const computedBy = `onnxruntime ${model.runtimeVersion} at import`;
  if (form === undefined) {
    const { inputs, outputs } = await answeredMadeUp(model);
    const computed = reference?.(inputs.map(rowIn));
    return {
      inputs: model.inputs.map((spec, index) => goldenTensor(spec, inputs[index] as RawTensor)),
      outputs: model.outputs.map((spec, index) => {
        const tensor = goldenTensor(spec, outputs[index] as RawTensor);
        return { ...tensor, data: computed?.[index]?.values ?? tensor.data };
      }),
      source: computed ? "computed at import in float64, made-up tensors" : `${computedBy}, made-up tensors`,
    };
  }
  const { features } = form.input;
  const rows = known.length > 0 ? known : [new Array<number>(features).fill(0), new Array<number>(features).fill(1)];
  const origin = known.length > 0 ? "the first rows of the CSV file" : "made-up rows";
  const computed = rows.map((values) => reference?.([{ shape: [features], values }])?.[0]?.values);
  if (computed.every((values) => values !== undefined)) {
    return { rows, outputs: computed.flat(), source: `computed at import in float64, ${origin}` };
  }
  const [outputs] = await model.run([floatRows(Float32Array.from(rows.flat()), rows.length)]);
  return { rows, outputs: [...floatsIn(outputs)], source: `${computedBy}, ${origin}` };
}

/** Lengths of open axes, tried in turn: a window wants a sequence that it fits into. */
const OPEN_LENGTHS = [1, 16, 128] as const;

/** Made-up tensors of one row that the model can answer, and its answers. */
async function answeredMadeUp(model: OnnxModel): Promise<{ inputs: RawTensor[]; outputs: RawTensor[] }> {
  let failure: unknown;
  for (const length of OPEN_LENGTHS) {
    const inputs = model.inputs.map((spec) => madeUpTensor(spec, length));
    try {
      return { inputs, outputs: await model.run(inputs) };
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

/** The model, whose failures to compute are said as what they are while it is imported. */
function saidToFail(model: OnnxModel): OnnxModel {
  return {
    ...model,
    run: (inputs) =>
      model.run(inputs).catch((cause: unknown) => {
        throw new SlipwayError("E_MODEL_INVALID", `the model cannot compute: ${messageOf(cause)}`, { cause });
      }),
  };
}

/** The first row of a tensor of numbers. */
function rowIn(tensor: RawTensor): Row {
  return { shape: tensor.shape.slice(1), values: Array.from(numbersIn(tensor), Number) };
}

async function sourceOf(
  { format }: ConvertedModel,
  { description, weights, archive, onnx }: ModelSources,
): Promise<ModelCard["source"]> {
  const files = [description, weights, archive, onnx].filter((file) => file !== undefined);
  return {
    format,
    files: await Promise.all(files.map(async (file) => ({ name: basename(file), digest: await digestOfFile(file) }))),
  };
}
