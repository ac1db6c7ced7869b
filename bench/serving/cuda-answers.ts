import { join } from "node:path";
import ort from "onnxruntime-node";
import { deviation } from "../../src/serving/models/golden.ts";
import { readKerasArchive } from "../../src/serving/models/keras/archive.ts";
import { convertNetwork } from "../../src/serving/models/keras/convert.ts";
import { parseKerasModel } from "../../src/serving/models/keras/description.ts";
import { openOnnxModel } from "../../src/serving/models/onnx-model.ts";
import {
  elementsIn,
  floatRows,
  floatsIn,
  numbersIn,
  type RawTensor,
  tensorOf,
} from "../../src/serving/tensors/raw-tensor.ts";
import { rawInput, referenceCases, writeCase } from "../../test/serving/models/keras/reference-cases.ts";
import { type Net, seeded } from "./nets.ts";

const ROWS = 256;
/** How far CUDA's answers may be from the processor's: absolute, and relative for those above 1. */
const TOLERANCE = 1e-4;
/** The models that are named; of the others only how many there are, and the worst. */
const NAMED = 8;
/** How much a repeated row differs from the one that it repeats. */
const NOISE = 0.05;

/** A model, and what it is asked. */
interface Subject {
  name: string;
  onnx: Uint8Array;
  inputs: RawTensor[];
}

/** How far one model's answers on the two providers are apart. */
export interface Comparison {
  name: string;
  rows: number;
  numbers: number;
  /** The largest difference: absolute, and relative above 1. */
  most: number;
  /** Passes in which that is more than it may be. */
  far: number;
  /** Whether all of its operators are CUDA's; ONNX Runtime leaves what CUDA does not have to the processor. */
  whole: boolean;
}

/**
 * Has models answer the same rows on the processor and by CUDA: these nets, and every network whose answers Keras recorded for the tests.
 * All of them several times: what differs once in a while does not show the first time.
 */
export async function compareAnswers(
  nets: Net[],
  passes: number,
  folder: string,
  tell: (line: string) => void,
): Promise<Comparison[]> {
  const subjects = [...nets.map(netSubject), ...(await referenceSubjects(folder))];
  const comparisons = new Map<string, Comparison>();
  for (let pass = 1; pass <= passes; pass++) {
    for (const subject of subjects) {
      const compared = await compare(subject);
      if (!(compared.most <= TOLERANCE)) tell(`pass ${pass}, ${compared.name}: ${compared.most}`);
      const before = comparisons.get(compared.name) ?? { most: 0, far: 0 };
      const most = Math.max(before.most, compared.most);
      comparisons.set(compared.name, { ...compared, most, far: before.far + compared.far });
    }
    tell(`pass ${pass} of ${passes}`);
  }
  return [...comparisons.values()];
}

/** Named models and the sum of all, as Markdown. */
export function answersTable(comparisons: Comparison[], passes: number): string {
  const byDifference = comparisons.toSorted((a, b) => b.most - a.most);
  const plain = comparisons.filter(({ name }) => !name.includes("/"));
  const named = [...plain, ...byDifference.filter((each) => !plain.includes(each)).slice(0, NAMED)];
  const rows = named.map(({ name, rows, numbers, most, whole }) => {
    return `| ${name} | ${rows} | ${numbers} | ${most.toExponential(1)} | ${whole ? "all" : "not all"} |`;
  });
  const far = byDifference.filter((each) => each.far > 0);
  const missed = far.map((each) => `${each.name} in ${each.far}`).join(", ");
  const wholly = comparisons.filter(({ whole }) => whole).length;
  return [
    `## Answers of CUDA beside the processor's, ${comparisons.length} models, ${passes} passes`,
    "",
    "| model | rows | numbers | largest difference | operators by CUDA |",
    "|---|---|---|---|---|",
    ...rows,
    "",
    `CUDA computes ${wholly} of them wholly. At most ${TOLERANCE} apart: ${far.length === 0 ? "met" : `**missed** by ${missed} of the passes`}.`,
  ].join("\n");
}

function netSubject({ name, model, row }: Net): Subject {
  const random = seeded(7);
  const values = Float32Array.from({ length: ROWS * row.length }, random);
  return { name, onnx: model.onnx, inputs: [floatRows(values, ROWS)] };
}

async function referenceSubjects(folder: string): Promise<Subject[]> {
  const subjects: Subject[] = [];
  for (const reference of await referenceCases()) {
    const path = join(await writeCase(folder, reference), "model.keras");
    const { description, version, weights } = await readKerasArchive(path, "model.keras");
    const { onnx } = convertNetwork(parseKerasModel(description, version), weights);
    subjects.push({ name: reference.name, onnx, inputs: reference.inputs.map((input) => repeated(rawInput(input))) });
  }
  return subjects;
}

/** The rows over and over until there are enough; floats that are no whole numbers differ a little each time. */
function repeated(tensor: RawTensor): RawTensor {
  const random = seeded(11);
  const values = numbersIn(tensor);
  const shape = [ROWS, ...tensor.shape.slice(1)];
  const numbers = Array.from({ length: elementsIn(shape) }, (_, at) => {
    const known = Number(values[at % values.length]);
    return Number.isInteger(known) ? known : known + NOISE * (2 * random() - 1);
  });
  return tensor.datatype === "FP32"
    ? tensorOf("FP32", shape, Float32Array.from(numbers))
    : tensorOf("INT32", shape, Int32Array.from(numbers));
}

async function compare({ name, onnx, inputs }: Subject): Promise<Comparison> {
  const answers: Float32Array[] = [];
  for (const device of ["cpu", "cuda"] as const) {
    const model = await openOnnxModel(onnx, { device });
    try {
      const outputs = await model.run(inputs);
      answers.push(Float32Array.from(outputs.flatMap((output) => [...floatsIn(output)])));
    } finally {
      await model.close();
    }
  }
  const [byCpu, byCuda] = answers as [Float32Array, Float32Array];
  const differences = byCpu.map((value, at) => deviation(byCuda[at] as number, value));
  const most = differences.reduce((worst, each) => Math.max(worst, each), 0); // NaN stays
  const far = most <= TOLERANCE ? 0 : 1;
  return { name, rows: ROWS, numbers: byCpu.length, most, far, whole: await computedWholly(onnx) };
}

/** Whether CUDA has all of a model's operators: else a session that may not fall back does not come to be. */
async function computedWholly(onnx: Uint8Array): Promise<boolean> {
  const extra = { session: { disable_cpu_ep_fallback: "1" } };
  try {
    const session = await ort.InferenceSession.create(onnx, {
      executionProviders: ["cuda"],
      logSeverityLevel: 4,
      extra,
    });
    await session.release();
    return true;
  } catch {
    return false;
  }
}
