import { z } from "zod";
import { SlipwayError } from "../../common/errors.ts";
import { decide, type ModelCard } from "./card.ts";
import type { OnnxModel } from "./onnx-model.ts";

/** Rows whose outputs are known from elsewhere: `golden.json`. */
export const goldenSchema = z.object({
  rows: z.array(z.array(z.number())).min(1),
  /** Row after row; a model with more than one output has a number for each of them, in a list of its own or not. */
  outputs: z.array(z.union([z.number(), z.array(z.number())])).transform((outputs) => outputs.flat()),
  /** What computed the outputs, e.g. `keras 2.21.0`. */
  source: z.string(),
});

export type Golden = z.infer<typeof goldenSchema>;

/** How far float32 inference may be from what the model's own framework computed: absolute, and relative for outputs above 1. */
export const GOLDEN_TOLERANCE = 1e-5;

/**
 * Computes the golden rows with the model and compares.
 * @returns the computed outputs, row after row
 * @throws SlipwayError E_MODEL_MISMATCH naming the row that differs most
 */
export async function requireGolden(model: OnnxModel, golden: Golden, tolerance = GOLDEN_TOLERANCE): Promise<number[]> {
  const { width } = model.input;
  const misfit = golden.rows.findIndex((row) => row.length !== width);
  if (misfit !== -1) {
    throw mismatch(`golden row ${misfit + 1} has ${golden.rows[misfit]?.length} numbers, the model takes ${width}`);
  }
  const expected = golden.outputs;
  const outputs = [...(await model.run(Float32Array.from(golden.rows.flat()), golden.rows.length))];
  if (outputs.length !== expected.length) {
    throw mismatch(`the model answers ${outputs.length} numbers for the golden rows, ${expected.length} are expected`);
  }
  const differences = outputs.map((output, index) => deviation(output, expected[index] as number));
  const worst = differences.reduce(
    (at, difference, index) => (difference > (differences[at] as number) ? index : at),
    0,
  );
  if (!differences.every((difference) => difference <= tolerance)) {
    throw mismatch(
      `golden row ${Math.floor((worst * golden.rows.length) / outputs.length) + 1}: the model answers ${outputs[worst]}, ` +
        `${golden.source} says ${expected[worst]} (tolerance ${tolerance})`,
    );
  }
  return outputs;
}

/** What an endpoint answers for the golden rows: the probability of each row's prediction. */
export function goldenProbabilities(output: ModelCard["output"], golden: Golden): number[] {
  return decide(output, golden.outputs).map(({ probability }) => probability);
}

/** How far a computed number is from the expected one: absolute, and relative for expected ones above 1. NaN where either is none. */
export function deviation(output: number, expected: number): number {
  return Math.abs(output - expected) / Math.max(1, Math.abs(expected));
}

function mismatch(reason: string): SlipwayError {
  return new SlipwayError("E_MODEL_MISMATCH", reason, {
    hint: "Description, weights and golden.json must come from one training run; write them again together.",
  });
}
