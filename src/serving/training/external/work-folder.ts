import { copyFile, lstat, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { isErrno, messageOf } from "../../../common/errors.ts";
import { filesBelow } from "../../../common/files.ts";
import type { NumberTable } from "../data/csv.ts";
import { failed } from "../errors.ts";
import type { Metrics } from "../gate.ts";
import { shortest } from "../package-model.ts";
import type { ExternalSpec } from "../spec.ts";

/** What an external trainer may leave, in bytes. */
const OUTPUT_BYTES = 512 * 2 ** 20;
const METRICS_BYTES = 65_536;

/** Where an external trainer finds its inputs and leaves its outputs. */
export interface WorkFolder {
  folder: string;
  /** The variables that name the folder's parts. */
  env: Record<string, string>;
  output: string;
  remove(): Promise<void>;
}

/** Lays out a trainer's inputs in a new folder. @param rows those to train on; the hold-out is not among them */
export async function makeWorkFolder(
  spec: ExternalSpec,
  rows: NumberTable,
  parentFolder: string | undefined,
): Promise<WorkFolder> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-trainer-"));
  const at = (name: string) => join(folder, name);
  for (const name of ["input", "output", "home", "tmp"]) await mkdir(at(name));
  await writeFile(at("input/data.csv"), csvLines(rows));
  const { parameters, seed, targets, task } = spec;
  const features = rows.width - targets;
  await writeFile(
    at("input/spec.json"),
    `${JSON.stringify({ task, seed, features, targets, columns: rows.columns, parameters }, null, 2)}\n`,
  );
  if (parentFolder !== undefined) {
    await mkdir(at("input/parent"));
    for (const name of await filesBelow(parentFolder)) {
      if (!name.includes("/")) await copyFile(join(parentFolder, name), join(folder, "input/parent", name));
    }
  }
  return {
    folder,
    env: {
      SLIPWAY_TRAINING_DATA: at("input/data.csv"),
      SLIPWAY_TRAINING_SPEC: at("input/spec.json"),
      SLIPWAY_TRAINING_OUTPUT: at("output"),
      ...(parentFolder !== undefined && { SLIPWAY_TRAINING_PARENT: at("input/parent") }),
      HOME: at("home"),
      TMPDIR: at("tmp"),
    },
    output: at("output"),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

function csvLines({ columns, rows, width, values }: NumberTable): string {
  const lines = Array.from({ length: rows }, (_, row) =>
    Array.from(values.subarray(row * width, (row + 1) * width), shortest).join(","),
  );
  return `${[...(columns ? [columns.join(",")] : []), ...lines].join("\n")}\n`;
}

/** Puts the rows that travel with the model beside it, where the trainer has left none. */
export async function addData(output: string, data: string | undefined): Promise<void> {
  const names = await readdir(output);
  if (data !== undefined && !names.some((name) => name.endsWith(".csv")))
    await writeFile(join(output, "data.csv"), data);
}

/** Throws SlipwayError E_TRAINING_FAILED for outputs that are links, no plain files, or too large together. */
export async function checkOutput(output: string): Promise<void> {
  let bytes = 0;
  for (const name of await readdir(output)) {
    const found = await lstat(join(output, name));
    if (!found.isFile()) throw failed(`the trainer left ${name}, which is no plain file`);
    bytes += found.size;
  }
  if (bytes > OUTPUT_BYTES) throw failed(`the trainer left ${bytes} bytes, more than ${OUTPUT_BYTES}`);
}

const metricsSchema = z.record(z.string().max(100), z.number()).refine((metrics) => Object.keys(metrics).length <= 100);

/** What the trainer says of its model in `metrics.json`; undefined where it says nothing. */
export async function reportedMetrics(output: string): Promise<Metrics | undefined> {
  try {
    const text = await readFile(join(output, "metrics.json"), "utf8");
    if (text.length > METRICS_BYTES) throw new Error(`it is longer than ${METRICS_BYTES} bytes`);
    return metricsSchema.parse(JSON.parse(text));
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw failed(`the trainer's metrics.json is no flat object of numbers: ${messageOf(error)}`);
  }
}
