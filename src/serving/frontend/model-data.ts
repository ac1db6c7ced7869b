import { type ColumnRange, columnRanges } from "../models/columns.ts";
import type { Golden } from "../models/golden.ts";
import { readPackage } from "../models/package.ts";
import { modelFolder } from "../models/registry-file.ts";
import { parseTable, type Table } from "../models/table.ts";
import type { RowModel } from "../routing/rows.ts";
import type { FrontendContext } from "./context.ts";

/** What travels with a model beside the network itself. */
export interface ModelData {
  table: Table;
  /** Where the table's values lie, column by column; none without rows. */
  ranges: ColumnRange[];
  golden: Golden;
}

export type ModelDataReader = (model: RowModel) => Promise<ModelData>;

/** Reads what travels with the model that serves; the last one read is kept. */
export function modelDataReader({ config }: FrontendContext): ModelDataReader {
  let kept: { digest: string; data: ModelData } | undefined;
  return async ({ model: { digest }, card }) => {
    if (kept?.digest !== digest) {
      kept = { digest, data: await readModelData(modelFolder(config.modelsDir, digest), card.rows.input.features) };
    }
    return kept.data;
  };
}

async function readModelData(folder: string, features: number): Promise<ModelData> {
  const { data, golden } = await readPackage(folder);
  const table: Table =
    data === undefined ? { columns: undefined, rows: [], labels: undefined } : parseTable(data, features);
  return { table, ranges: columnRanges(table.rows), golden };
}
