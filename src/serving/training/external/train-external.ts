import { delimiter } from "node:path";
import { digestOf } from "../../../common/digest.ts";
import { messageOf, SlipwayError } from "../../../common/errors.ts";
import { outputWidth, type RowForm } from "../../models/card.ts";
import { importModel } from "../../models/import.ts";
import { openOnnxModel } from "../../models/onnx-model.ts";
import type { ModelPackage } from "../../models/package.ts";
import { rowFormOf } from "../../models/reading.ts";
import { floatRows, floatsIn } from "../../tensors/raw-tensor.ts";
import type { EpochProgress, ExternalTrainer, TrainRequest, TrainResult } from "../contract.ts";
import { type NumberTable, parseNumbers, readData } from "../data/csv.ts";
import { splitRows } from "../data/split.ts";
import { samplesOf, tableOf } from "../data/table-rows.ts";
import { failed, invalid } from "../errors.ts";
import { judge, type Metrics, verdictLines } from "../gate.ts";
import type { Journal } from "../journal.ts";
import { measure } from "../measure.ts";
import type { LossName } from "../mlp/losses.ts";
import { type Samples, selectRows } from "../mlp/samples.ts";
import { dataOf, readingOf } from "../package-model.ts";
import { type Parent, requireNetwork } from "../parent.ts";
import { recordText, type TrainingRecord } from "../record.ts";
import type { ExternalSpec } from "../spec.ts";
import { checkTargets } from "../targets.ts";
import { type Ending, runGuarded } from "./guarded-process.ts";
import { readProgress } from "./progress-line.ts";
import { addData, checkOutput, makeWorkFolder, reportedMetrics } from "./work-folder.ts";

/** Lines of a failed trainer that its error shows. */
const LAST_LINES = 20;
/** Lines that go to the log; a trainer that prints more is heard on, and its further lines are counted. */
const LOG_LINES = 20_000;
/** Rows that are computed at a time. */
const CHUNK_ROWS = 1024;

/** Variables of this process that every trainer gets. */
const PASSED = ["PATH", "LANG", "LC_ALL", "TZ"];

/**
 * Lets one of the host's external trainers train, and makes a package of what it leaves.
 * @throws SlipwayError E_TRAINING_INVALID, E_TRAINING_FAILED, E_TIMEOUT; the signal's reason
 */
export async function trainExternal(
  spec: ExternalSpec,
  data: TrainRequest["data"],
  parent: Parent | undefined,
  trainers: Readonly<Record<string, ExternalTrainer>>,
  journal: Journal,
  signal: AbortSignal | undefined,
): Promise<TrainResult> {
  const trainer = Object.hasOwn(trainers, spec.trainer) ? trainers[spec.trainer] : undefined;
  if (trainer === undefined) throw invalid(`trainer: this host has no trainer "${spec.trainer}"`);
  if (spec.gate.betterThanParent && parent === undefined)
    throw invalid("gate.betterThanParent: the training has no parent");
  const text = await readData(data);
  const table = parseNumbers(text);
  const samples = samplesOf(table, spec.targets);
  const split = splitRows(samples.count, spec.seed, spec.holdOut, 0);
  const work = await makeWorkFolder(spec, tableOf(table, split.training), parent?.folder);
  try {
    journal.log(`${split.training.length} rows to train on, ${split.holdOut.length} held out; trainer ${spec.trainer}`);
    const told = await runTrainer(spec.trainer, trainer, work, journal, signal);
    await checkOutput(work.output);
    const reported = await reportedMetrics(work.output);
    const judgedRows = split.holdOut.length > 0 ? split.holdOut : split.training;
    await addData(work.output, dataOf(spec.task, tableOf(table, judgedRows), samples.width));
    const model = await importModel(work.output).catch((cause: unknown) => {
      throw failed(`the trainer left no model that Slipway can read: ${messageOf(cause)}`, undefined, { cause });
    });
    const judged = selectRows(samples, judgedRows);
    const metrics = {
      ...(await figuresOf(spec, model, judged)),
      ...(parent && prefixed("parent", await figuresOf(spec, requireNetwork(parent.model), judged))),
    };
    const verdict = judge(spec.gate, metrics);
    for (const line of verdictLines(verdict)) journal.log(line);
    const record: TrainingRecord = {
      schemaVersion: 1,
      kind: spec.kind,
      trainer: spec.trainer,
      seed: spec.seed,
      dataDigest: digestOf(text),
      rows: { training: split.training.length, validation: 0, holdOut: split.holdOut.length },
      ...(parent && { parent: parent.digest }),
      ...(told && { epochs: told.epoch }),
      metrics,
      verdict,
      ...(reported && { reported }),
      spec,
    };
    return {
      package: withRecord(model, spec, table, record),
      metrics,
      verdict,
      parent: parent?.digest,
      seconds: journal.seconds(),
    };
  } finally {
    await work.remove();
  }
}

/** Runs the trainer to its end. @returns the last epoch that it told */
async function runTrainer(
  name: string,
  { command, timeoutS, passEnvironment }: ExternalTrainer,
  work: { folder: string; env: Record<string, string> },
  journal: Journal,
  signal: AbortSignal | undefined,
): Promise<Omit<EpochProgress, "elapsedMs"> | undefined> {
  const lastLines: string[] = [];
  let lines = 0;
  let told: Omit<EpochProgress, "elapsedMs"> | undefined;
  const stop = new AbortController();
  const either = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const hear = (line: string, source: "stdout" | "stderr") => {
    const progress = source === "stdout" ? readProgress(line) : undefined;
    if (progress) {
      told = progress;
      journal.progress(progress);
      return;
    }
    if (lastLines.push(line) > LAST_LINES) lastLines.shift();
    if (++lines <= LOG_LINES) journal.log(line, source);
    else if (lines === LOG_LINES + 1) journal.log(`the trainer's further lines are not kept`);
  };
  const ending = await runGuarded({
    command,
    cwd: work.folder,
    env: { ...passed([...PASSED, ...passEnvironment]), ...work.env },
    timeoutMs: timeoutS * 1000,
    signal: either,
    onLine: (line, source) => {
      try {
        hear(line, source);
      } catch (error) {
        stop.abort(error); // what a callback throws ends the training
      }
    },
  });
  if (ending.kind === "aborted") throw either.reason;
  requireSuccess(name, ending, timeoutS, lastLines);
  return told;
}

function passed(names: readonly string[]): Record<string, string> {
  const known = names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]] as const]));
  return { PATH: ["/usr/local/bin", "/usr/bin", "/bin"].join(delimiter), ...Object.fromEntries(known) };
}

function requireSuccess(name: string, ending: Ending, timeoutS: number, lines: string[]): void {
  if (ending.kind === "exit" && ending.code === 0) return;
  const last = lines.map((line) => line.replace(/\p{Cc}/gu, " ").slice(0, 500));
  if (ending.kind === "timeout") {
    throw new SlipwayError("E_TIMEOUT", `the trainer ${name} ran past its ${timeoutS} s`, { details: last });
  }
  const how =
    ending.kind === "exit"
      ? `ended with exit code ${ending.code}`
      : ending.kind === "signal"
        ? `was ended by ${ending.signal}`
        : ending.kind === "not started"
          ? `cannot be started: ${ending.reason}`
          : ending.kind;
  throw failed(`the trainer ${name} ${how}${last.length > 0 ? `; its last line: ${last.at(-1)}` : ""}`, undefined, {
    lines: last,
  });
}

/** How an external trainer's outputs are measured. */
function lossOf({ task, targets }: ExternalSpec): LossName {
  if (task === "values") return "mse";
  if (task === "binary") return "binary_crossentropy";
  return targets > 1 ? "categorical_crossentropy" : "sparse_categorical_crossentropy";
}

/** The figures of a model over some rows, computed by ONNX Runtime. */
async function figuresOf(spec: ExternalSpec, { onnx }: ModelPackage, samples: Samples): Promise<Metrics> {
  const loss = lossOf(spec);
  const model = await openOnnxModel(onnx);
  try {
    const form = rowFormOf(model, "values");
    if (form === undefined) throw failed("the model takes or answers something else than rows of float32 numbers");
    const { features } = form.input;
    const width = outputWidth(form.output);
    if (features !== samples.width) {
      throw failed(`the model takes rows of ${features} numbers, the data has ${samples.width}`);
    }
    if (loss !== "sparse_categorical_crossentropy" && width !== samples.targetWidth) {
      throw failed(`the model answers ${width} numbers for a row, the data has ${samples.targetWidth} targets`);
    }
    checkTargets(loss, samples, width);
    const outputs = new Float64Array(samples.count * width);
    for (let from = 0; from < samples.count; from += CHUNK_ROWS) {
      const rows = samples.inputs.subarray(from * features, (from + CHUNK_ROWS) * features);
      const [answer] = await model.run([floatRows(Float32Array.from(rows), rows.length / features)]);
      outputs.set(floatsIn(answer), from * width);
    }
    return measure(loss, { ...samples, outputs, width });
  } finally {
    await model.close();
  }
}

function prefixed(prefix: string, { rows: _rows, ...metrics }: Metrics): Metrics {
  const named = Object.entries(metrics).map(([name, value]) => [
    `${prefix}${name.charAt(0).toUpperCase()}${name.slice(1)}`,
    value,
  ]);
  return Object.fromEntries(named);
}

function withRecord(
  model: ModelPackage,
  { task }: ExternalSpec,
  { columns }: NumberTable,
  record: TrainingRecord,
): ModelPackage {
  const { rows } = model.card;
  if (rows === undefined) throw failed("the model's rows depend on one another: it can be asked for single rows alone");
  const width = outputWidth(rows.output);
  const reading: RowForm = {
    input: { ...rows.input, ...(columns && { columns: columns.slice(0, rows.input.features) }) },
    output: readingOf(task, { name: rows.output.name, width }),
  };
  return { ...model, card: { ...model.card, rows: reading }, training: recordText(record) };
}
