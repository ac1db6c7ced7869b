import { jsonElements, tensorFromJson } from "../tensors/json.ts";
import { elementsIn, type RawTensor } from "../tensors/raw-tensor.ts";
import { classesOfWidth, type RowForm, type TensorSpec } from "./card.ts";
import type { LoadedModel } from "./onnx-model.ts";

/**
 * How a model is read that takes rows of numbers: one float32 matrix with a free number of rows in, another one as its first such
 * output. Undefined for any other model.
 * @param meaning what the numbers mean; where nobody says they are probabilities of classes
 */
export function rowFormOf(
  { inputs, outputs }: Pick<LoadedModel, "inputs" | "outputs">,
  meaning: RowForm["output"]["kind"] | undefined,
): RowForm | undefined {
  const [input] = inputs;
  const output = outputs.find(isRowMatrix);
  if (
    input === undefined ||
    inputs.length !== 1 ||
    !isRowMatrix(input) ||
    output !== outputs[0] ||
    output === undefined
  ) {
    return undefined;
  }
  const [features, width] = [input.shape[1] as number, output.shape[1] as number];
  return {
    input: { name: input.name, features },
    output: tellsClasses(meaning, width)
      ? classesOfWidth(output.name, width)
      : { kind: "values", name: output.name, width },
  };
}

/** Several sigmoids are no classes that exclude each other, and a softmax of one number tells nothing. */
function tellsClasses(meaning: RowForm["output"]["kind"] | undefined, width: number): boolean {
  if (meaning === undefined) return true;
  return meaning === "binary" ? width === 1 : meaning === "classes" && width > 1;
}

/** With the names that the data that travels with the model has for the features, where nothing else names them. */
export function withColumns(form: RowForm, columns: string[] | undefined): RowForm {
  return columns === undefined || form.input.columns ? form : { ...form, input: { ...form.input, columns } };
}

/**
 * A tensor of a spec with one row, whose float32 elements are eighths below 1, and other elements 0 or empty: an index that a model
 * looks up is there for all of them.
 * @param open the length of the other axes that are free
 */
export function madeUpTensor({ datatype, shape }: TensorSpec, open = 1): RawTensor {
  const sizes = shape.map((size, axis) => (size !== -1 ? size : axis === 0 ? 1 : open));
  const element = datatype === "BYTES" ? "" : datatype === "BOOL" ? false : 0;
  const elements = Array.from({ length: elementsIn(sizes) }, (_, index) =>
    datatype === "FP32" ? (index % 8) / 8 : element,
  );
  return tensorFromJson(datatype, sizes, elements);
}

/** A tensor as `golden.json` holds it. */
export function goldenTensor({ name, datatype }: TensorSpec, tensor: RawTensor) {
  return { name, datatype, shape: tensor.shape, data: jsonElements(tensor) };
}

function isRowMatrix({ datatype, shape }: TensorSpec): boolean {
  const [rows, width, ...more] = shape;
  return datatype === "FP32" && rows === -1 && width !== undefined && width > 0 && more.length === 0;
}
