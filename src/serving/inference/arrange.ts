import { HttpError } from "../frontend/errors.ts";
import type { ModelCard, TensorSpec } from "../models/card.ts";
import { misfitOf, rowsIn } from "../runtime/fitting.ts";
import type { RawTensor } from "../tensors/raw-tensor.ts";
import { excerpt, invalidRequest, type NamedTensor, type WantedOutput } from "./question.ts";

/**
 * The named tensors in the order of the model's inputs.
 * @throws HttpError 400 naming the tensor that is missing, unknown, there twice, or not as the model takes it; 413 for more than `maxRows`
 */
export function arrangeInputs(card: ModelCard, named: readonly NamedTensor[], maxRows: number): RawTensor[] {
  const inputs = card.inputs.map((spec) => requireInput(spec, named));
  if (named.length !== card.inputs.length) {
    const names = new Set<string>();
    for (const { name } of named) {
      if (names.has(name)) throw invalidRequest(`input "${excerpt(name)}" is there twice`);
      names.add(name);
      if (!card.inputs.some((spec) => spec.name === name)) throw unknown("input", name, card.inputs);
    }
  }
  const misfit = misfitOf(card, inputs);
  if (misfit !== undefined) throw invalidRequest(misfit);
  const rows = rowsIn(card, inputs);
  if (rows > maxRows) throw new HttpError(413, "ROWS_TOO_MANY", `${rows} rows; at most ${maxRows} are taken at once`);
  return inputs;
}

/** The places of the outputs that are asked for, in the order in which they are; all where none is. Throws HttpError 400. */
export function placesOf(card: ModelCard, wanted: readonly WantedOutput[] | undefined): number[] {
  if (!wanted || wanted.length === 0) return card.outputs.map((_, place) => place);
  const places = wanted.map(({ name }) => {
    const place = card.outputs.findIndex((spec) => spec.name === name);
    if (place === -1) throw unknown("output", name, card.outputs);
    return place;
  });
  const twice = places.findIndex((place, at) => places.indexOf(place) !== at);
  if (twice !== -1) throw invalidRequest(`output "${wanted[twice]?.name}" is asked for twice`);
  return places;
}

function requireInput(spec: TensorSpec, named: readonly NamedTensor[]): RawTensor {
  for (const tensor of named) if (tensor.name === spec.name) return tensor;
  throw invalidRequest(`input "${spec.name}" is missing`);
}

function unknown(side: "input" | "output", name: string, specs: readonly TensorSpec[]): HttpError {
  const known = specs.map((spec) => `"${spec.name}"`).join(", ");
  return invalidRequest(`there is no ${side} "${excerpt(name)}"; the model has ${known}`);
}
