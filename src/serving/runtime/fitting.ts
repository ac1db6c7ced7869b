import type { ModelCard, TensorSpec } from "../models/card.ts";
import type { RawTensor } from "../tensors/raw-tensor.ts";

/** Why these inputs are not what a model takes; undefined where they are. The datatypes and shapes are compared, not the elements. */
export function misfitOf({ inputs: specs, batching }: ModelCard, inputs: readonly RawTensor[]): string | undefined {
  if (inputs.length !== specs.length) return `the model takes ${specs.length} tensors, not ${inputs.length}`;
  const rows = inputs[0]?.shape[0];
  for (const [index, spec] of specs.entries()) {
    const tensor = inputs[index] as RawTensor;
    const { name, datatype } = spec;
    if (tensor.datatype !== datatype) return `input ${name} is of ${datatype}, not of ${tensor.datatype}`;
    if (!isShapeOf(spec, tensor.shape)) return `input ${name} is of shape [${spec.shape}], not [${tensor.shape}]`;
    if (batching && tensor.shape[0] !== rows) return `input ${name} has ${tensor.shape[0]} rows, the first has ${rows}`;
  }
  if (batching && rows === 0) return "there are no rows";
  return undefined;
}

/** Rows that a question's inputs count as: their own where the model's first axis counts rows, else one. */
export function rowsIn({ batching }: ModelCard, inputs: readonly RawTensor[]): number {
  return batching ? (inputs[0]?.shape[0] ?? 0) : 1;
}

function isShapeOf({ shape: spec }: TensorSpec, shape: readonly number[]): boolean {
  if (spec.length !== shape.length) return false;
  for (let axis = 0; axis < spec.length; axis++) if (spec[axis] !== -1 && spec[axis] !== shape[axis]) return false;
  return true;
}
