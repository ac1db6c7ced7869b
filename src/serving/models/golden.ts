import { z } from "zod";
import { messageOf, SlipwayError } from "../../common/errors.ts";
import { DATATYPES } from "../tensors/datatypes.ts";
import { jsonElements, tensorFromJson } from "../tensors/json.ts";
import { floatRows, type RawTensor } from "../tensors/raw-tensor.ts";
import { decide, type ModelCard, numbersOf, type RowForm, type TensorSpec } from "./card.ts";

/** How far float32 inference may be from what the model's own framework computed: absolute, and relative for outputs above 1. */
export const GOLDEN_TOLERANCE = 1e-5;
/** The most that a `golden.json` may let through: half precision stays below, and another model's answers do not. */
const MOST_TOLERANCE = 1e-2;

/** In place of {@link GOLDEN_TOLERANCE}, for a model that computes less exactly or must do so more exactly. */
export const goldenTolerance = z.number().positive().max(MOST_TOLERANCE).optional();

/** Rows whose outputs are known from elsewhere. */
const rowGoldenSchema = z.object({
  rows: z.array(z.array(z.number())).min(1),
  /** Row after row; a model with more than one output has a number for each of them, in a list of its own or not. */
  outputs: z.array(z.union([z.number(), z.array(z.number())])).transform((outputs) => outputs.flat()),
  /** What computed the outputs, e.g. `keras 2.21.0`. */
  source: z.string(),
  tolerance: goldenTolerance,
});

const tensorSchema = z.object({
  name: z.string(),
  datatype: z.enum(DATATYPES),
  shape: z.array(z.number().int().nonnegative()),
  /** Flat or nested. */
  data: z.array(z.unknown()),
});

/** Tensors whose answer is known from elsewhere, by the names of the model's inputs and outputs. */
const tensorGoldenSchema = z.object({
  inputs: z.array(tensorSchema).min(1),
  outputs: z.array(tensorSchema).min(1),
  source: z.string(),
  tolerance: goldenTolerance,
});

/** `golden.json`: questions to a model, and their answers as something else computed them. */
export const goldenSchema = z.union([rowGoldenSchema, tensorGoldenSchema]);

export type Golden = z.infer<typeof goldenSchema>;
type TensorGolden = z.infer<typeof tensorGoldenSchema>;
export type RowGolden = z.infer<typeof rowGoldenSchema>;
type GoldenTensor = z.infer<typeof tensorSchema>;

/** How far answers may be from the golden ones: absolute, and relative for outputs above 1. */
export function toleranceOf(golden: Golden): number {
  return golden.tolerance ?? GOLDEN_TOLERANCE;
}

/** What is asked of a model: its tensors, and the computation. */
export interface GoldenSubject {
  inputs: TensorSpec[];
  outputs: TensorSpec[];
  run(inputs: RawTensor[]): Promise<RawTensor[]>;
  /** Whether two texts say the same, numbers in them within the tolerance; those that are equal do, where nothing else is told. */
  areAlike?(found: unknown, wanted: unknown, tolerance: number): boolean;
}

/** Whether the golden questions are rows of numbers. */
export function hasGoldenRows(golden: Golden): golden is RowGolden {
  return "rows" in golden;
}

/** How many golden questions there are. */
export function goldenQuestions(golden: Golden): number {
  return hasGoldenRows(golden) ? golden.rows.length : 1;
}

/**
 * Asks the model the golden questions and compares.
 * @returns the computed outputs
 * @throws SlipwayError E_MODEL_MISMATCH naming the row or the output that differs most
 */
export async function requireGolden(model: GoldenSubject, golden: Golden): Promise<RawTensor[]> {
  const outputs = await model.run(goldenInputs(model, golden));
  if (hasGoldenRows(golden)) compareRows(outputs[0] as RawTensor, golden);
  else compareTensors(model, outputs, golden);
  return outputs;
}

/** The golden questions as tensors, in the order of the model's inputs. Throws SlipwayError E_MODEL_MISMATCH where they are none. */
export function goldenInputs({ inputs }: Pick<ModelCard, "inputs">, golden: Golden): RawTensor[] {
  if (!hasGoldenRows(golden)) return inputs.map(({ name }) => rawTensor(golden.inputs, name, "input"));
  const width = inputs[0]?.shape[1];
  const misfit = golden.rows.findIndex((row) => row.length !== width);
  if (inputs.length !== 1 || misfit !== -1) {
    throw mismatch(`golden row ${misfit + 1} has ${golden.rows[misfit]?.length} numbers, the model takes ${width}`);
  }
  return [floatRows(Float32Array.from(golden.rows.flat()), golden.rows.length)];
}

/** What an endpoint answers for the golden rows, row after row: of each prediction its probability, or its values. */
export function goldenNumbers(output: RowForm["output"], golden: RowGolden): number[] {
  return decide(output, golden.outputs).flatMap(numbersOf);
}

/** How far a computed number is from the expected one: absolute, and relative for expected ones above 1. NaN where either is none. */
export function deviation(output: number, expected: number): number {
  return Math.abs(output - expected) / Math.max(1, Math.abs(expected));
}

function compareRows(answered: RawTensor, golden: RowGolden): void {
  const { rows, outputs: expected, source } = golden;
  const tolerance = toleranceOf(golden);
  const outputs = jsonElements(answered) as number[];
  if (outputs.length !== expected.length) {
    throw mismatch(`the model answers ${outputs.length} numbers for the golden rows, ${expected.length} are expected`);
  }
  const worst = worstOf(outputs, expected, tolerance);
  if (worst === undefined) return;
  throw mismatch(
    `golden row ${Math.floor((worst * rows.length) / outputs.length) + 1}: the model answers ${outputs[worst]}, ` +
      `${source} says ${expected[worst]} (tolerance ${tolerance})`,
  );
}

function compareTensors({ outputs: specs, areAlike }: GoldenSubject, outputs: RawTensor[], golden: TensorGolden): void {
  const { outputs: expected, source } = golden;
  for (const [index, { name }] of specs.entries()) {
    if (!expected.some((tensor) => tensor.name === name)) continue; // not every output need be known
    const answered = outputs[index] as RawTensor;
    const known = rawTensor(expected, name, "output");
    if (`${known.shape}` !== `${answered.shape}`) {
      throw mismatch(`output ${name} has the shape [${answered.shape}], ${source} says [${known.shape}]`);
    }
    const [found, wanted] = [jsonElements(answered), jsonElements(known)];
    const worst = worstOf(found, wanted, toleranceOf(golden), areAlike);
    if (worst !== undefined) {
      throw mismatch(
        `output ${name}, element ${worst + 1}: the model answers ${found[worst]}, ${source} says ${wanted[worst]}`,
      );
    }
  }
}

/** The place where two lists differ most; undefined where they are equal, numbers within the tolerance. */
function worstOf(
  found: unknown[],
  wanted: unknown[],
  tolerance: number,
  areAlike: NonNullable<GoldenSubject["areAlike"]> = Object.is,
): number | undefined {
  let worst: number | undefined;
  let most = tolerance;
  for (const [index, value] of found.entries()) {
    const known = wanted[index];
    const far =
      typeof value === "number" && typeof known === "number"
        ? deviation(value, known)
        : areAlike(value, known, tolerance)
          ? 0
          : Number.POSITIVE_INFINITY;
    if (far <= most) continue; // false for NaN
    if (Number.isNaN(far)) return index;
    worst = index;
    most = far;
  }
  return worst;
}

function rawTensor(tensors: GoldenTensor[], name: string, side: string): RawTensor {
  const tensor = tensors.find((one) => one.name === name);
  if (tensor === undefined) throw mismatch(`golden.json has no ${side} ${name}`);
  try {
    return tensorFromJson(tensor.datatype, tensor.shape, tensor.data);
  } catch (cause) {
    throw mismatch(`golden.json, ${side} ${name}: ${messageOf(cause)}`);
  }
}

function mismatch(reason: string): SlipwayError {
  return new SlipwayError("E_MODEL_MISMATCH", reason, {
    hint: "Description, weights and golden.json must come from one training run; write them again together.",
  });
}
