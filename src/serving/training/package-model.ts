import { messageOf } from "../../common/errors.ts";
import { classesOfWidth, type RowForm } from "../models/card.ts";
import type { ModelPackage } from "../models/package.ts";
import { verifyGolden } from "../models/verify.ts";
import type { NumberTable } from "./data/csv.ts";
import { failed } from "./errors.ts";
import { EXPORTED_INPUT, EXPORTED_OUTPUT, exportOnnx } from "./network/onnx-export.ts";
import { type ServableNetwork, servedOutputs } from "./network/servable.ts";
import { recordText, type TrainingRecord } from "./record.ts";

/** What the outputs of a model are. */
export type Task = "binary" | "classes" | "values";

/** Rows that travel with a model as its data and as its golden rows. */
const DATA_ROWS = 1000;
const GOLDEN_ROWS = 7;

/**
 * The package of a network that was trained here. Its golden rows are some of the rows it is judged on and the ends of each feature's
 * range, its golden outputs computed in float64 without ONNX; ONNX Runtime has answered them here.
 * @param network in single precision
 * @param rows features and target as the data has them, of the rows that the model is judged on
 * @throws SlipwayError E_TRAINING_FAILED when single precision is too coarse for the network
 */
export async function packageNetwork(
  network: ServableNetwork,
  task: Task,
  rows: NumberTable,
  record: TrainingRecord,
): Promise<ModelPackage> {
  const { features, outputs } = network.network;
  const golden = goldenRows(rows, features);
  const model: ModelPackage = {
    card: cardOf({ name: EXPORTED_INPUT, features }, { name: EXPORTED_OUTPUT, width: outputs }, task, rows.columns),
    onnx: exportOnnx(network),
    golden: {
      rows: golden,
      outputs: [...(await servedOutputs(network, Float64Array.from(golden.flat())))],
      source: "the trainer's own forward pass in float64",
    },
    data: dataOf(task, rows, features),
    training: recordText(record),
  };
  await verifyGolden(model).catch((cause: unknown) => {
    throw failed(`the trained network cannot be served: ${messageOf(cause)}`, "Standardize the features.", { cause });
  });
  return model;
}

function cardOf(
  input: RowForm["input"],
  output: { name: string; width: number },
  task: Task,
  columns: string[] | undefined,
): ModelPackage["card"] {
  const tensor = (name: string, width: number) => ({ name, datatype: "FP32" as const, shape: [-1, width] });
  return {
    schemaVersion: 2,
    platform: "onnx",
    inputs: [tensor(input.name, input.features)],
    outputs: [tensor(output.name, output.width)],
    batching: true,
    rows: {
      input: { ...input, ...(columns && { columns: columns.slice(0, input.features) }) },
      output: readingOf(task, output),
    },
    source: { format: "trained", files: [] },
  };
}

/** How outputs of a task are read. Several probabilities that are no distribution stand for themselves. */
export function readingOf(task: Task, { name, width }: { name: string; width: number }): RowForm["output"] {
  const tellsOneClass = task === "classes" || (task === "binary" && width === 1);
  return tellsOneClass ? classesOfWidth(name, width) : { kind: "values", name, width };
}

function goldenRows({ values, width, rows }: NumberTable, features: number): number[][] {
  const row = (number: number) => Array.from(values.subarray(number * width, number * width + features));
  const first = Array.from({ length: Math.min(rows, GOLDEN_ROWS) }, (_, number) => row(number));
  const [least, most] = [row(0), row(0)];
  for (let number = 1; number < rows; number++) {
    for (let i = 0; i < features; i++) {
      const value = values[number * width + i] as number;
      least[i] = Math.min(least[i] as number, value);
      most[i] = Math.max(most[i] as number, value);
    }
  }
  return [...first, least, most];
}

/** The CSV file that travels with a model: rows with their class; none for models that tell no class. */
export function dataOf(
  task: Task,
  { columns, values, width, rows }: NumberTable,
  features: number,
): string | undefined {
  if (task === "values" || width !== features + 1) return undefined;
  const lines = Array.from({ length: Math.min(rows, DATA_ROWS) }, (_, row) =>
    Array.from(values.subarray(row * width, (row + 1) * width), shortest).join(","),
  );
  return `${[...(columns ? [columns.join(",")] : []), ...lines].join("\n")}\n`;
}

/** The shortest decimal number that single precision reads as this one. */
export function shortest(value: number): string {
  for (let digits = 1; digits < 10; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === value) return String(Number(text));
  }
  return String(value);
}
