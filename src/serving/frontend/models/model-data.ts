import { type ColumnRange, columnRanges } from "../../models/columns.ts";
import type { Golden } from "../../models/golden.ts";
import { readPackage } from "../../models/package.ts";
import { modelFolder } from "../../models/registry-file.ts";
import { parseTable, type Table } from "../../models/table.ts";
import type { ServedModel } from "../../routing/question.ts";
import { type TrainingRecord, trainingRecordSchema } from "../../training/record.ts";
import type { FrontendContext } from "../context.ts";

/** What travels with a model beside the network itself. */
export interface ModelData {
  /** Empty for a model that takes no rows of numbers. */
  table: Table;
  /** Where the table's values lie, column by column; none without rows. */
  ranges: ColumnRange[];
  golden: Golden;
  /** Where a model comes from that was trained here. */
  training: TrainingRecord | undefined;
}

export type ModelDataReader = (model: ServedModel) => Promise<ModelData>;

const KEPT = 4;

/** Reads what travels with a model that serves; the last ones read are kept. */
export function modelDataReader({ config }: FrontendContext): ModelDataReader {
  const kept = new Map<string, ModelData>();
  return async ({ model: { digest }, card }) => {
    const known = kept.get(digest);
    if (known) return known;
    const data = await readModelData(modelFolder(config.modelsDir, digest), card.rows?.input.features);
    kept.set(digest, data);
    const [oldest] = kept.keys();
    if (kept.size > KEPT && oldest !== undefined) kept.delete(oldest);
    return data;
  };
}

async function readModelData(folder: string, features: number | undefined): Promise<ModelData> {
  const { data, golden, training } = await readPackage(folder);
  const table: Table =
    data === undefined || features === undefined
      ? { columns: undefined, rows: [], labels: undefined }
      : parseTable(data, features);
  return { table, ranges: columnRanges(table.rows), golden, training: recordIn(training) };
}

/** A record of another release that cannot be read is not shown; the model serves all the same. */
function recordIn(text: string | undefined): TrainingRecord | undefined {
  if (text === undefined) return undefined;
  try {
    return trainingRecordSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
