import { z } from "zod";
import { DATATYPES } from "../tensors/datatypes.ts";
import { functionFormSchema } from "./function/form.ts";

const fileDigest = z.object({ name: z.string(), digest: z.templateLiteral([z.literal("sha256:"), z.string()]) });

const tensorSpecSchema = z.object({
  name: z.string(),
  datatype: z.enum(DATATYPES),
  /** -1 stands for a free dimension. */
  shape: z.array(z.number().int().min(-1)),
});

/** A tensor that a model takes or answers. */
export type TensorSpec = z.infer<typeof tensorSpecSchema>;

const rowFormSchema = z.object({
  /** The input tensor, float32 `[rows, features]`. */
  input: z.object({
    name: z.string(),
    features: z.number().int().positive(),
    /** The features' names, where the data that travels with the model has a header. */
    columns: z.array(z.string()).optional(),
  }),
  /** The output tensor, float32 `[rows, width]`. */
  output: z.discriminatedUnion("kind", [
    /** One number: the probability of class 1. Class 1 is predicted above the threshold. */
    z.object({ kind: z.literal("binary"), name: z.string(), threshold: z.number() }),
    /** A number for each class; the largest is predicted. */
    z.object({ kind: z.literal("classes"), name: z.string(), classes: z.number().int().min(2) }),
    /** Numbers that stand for themselves, as a regression's. */
    z.object({ kind: z.literal("values"), name: z.string(), width: z.number().int().positive() }),
  ]),
});

/** How a model is read that takes rows of numbers and answers numbers. */
export type RowForm = z.infer<typeof rowFormSchema>;

/** What a model takes, what it answers and where it comes from. */
export const modelCardSchema = z.object({
  schemaVersion: z.literal(2),
  /** What computes it. */
  platform: z.enum(["onnx", "function"]),
  inputs: z.array(tensorSpecSchema).min(1),
  outputs: z.array(tensorSpecSchema).min(1),
  /** Whether the first axis of every tensor counts rows that do not know of each other: then requests are computed together. */
  batching: z.boolean(),
  /** Absent for models that are no functions from rows of numbers to numbers; such a model is asked by its tensors alone. */
  rows: rowFormSchema.optional(),
  /** False for a model that does something besides answering: a question to it is not asked again on one's own account. */
  pure: z.boolean().optional(),
  /** How a function model is called. */
  function: functionFormSchema.optional(),
  /** The files that the user gave. */
  source: z.object({
    format: z.enum(["keras-json+h5", "keras-h5", "keras-zip", "onnx", "function", "trained"]),
    files: z.array(fileDigest),
  }),
});

export type ModelCard = z.infer<typeof modelCardSchema>;

/** A card of a model that takes rows of numbers. */
export type RowCard = ModelCard & { rows: RowForm };

/** `slipway-model.json`: the card with the digests of the package's other files, which a torn package does not fit. */
export const packedCardSchema = modelCardSchema.extend({ files: z.array(fileDigest) });

/** Whether the model takes rows of numbers. */
export function takesRows(card: ModelCard): card is RowCard {
  return card.rows !== undefined;
}

/** What the features are called: as the data names them, else by their place. */
export function featureNames({ features, columns }: RowForm["input"]): string[] {
  return Array.from({ length: features }, (_, column) => columns?.[column] || `value ${column + 1}`);
}

/** Numbers that the model answers for a row. */
export function outputWidth(output: RowForm["output"]): number {
  switch (output.kind) {
    case "binary":
      return 1;
    case "classes":
      return output.classes;
    case "values":
      return output.width;
  }
}

/** The threshold's default: Keras' `predict_classes` and `round(predict)` both put an output of exactly one half into class 0. */
const CLASS_THRESHOLD = 0.5;

/** How an output tensor of this width is read where nothing is known but that it tells classes. */
export function classesOfWidth(name: string, width: number): RowForm["output"] {
  return width === 1 ? { kind: "binary", name, threshold: CLASS_THRESHOLD } : { kind: "classes", name, classes: width };
}

/** Above which probability class 1 is predicted; undefined for a model that is not binary. */
export function thresholdOf(output: RowForm["output"]): number | undefined {
  return output.kind === "binary" ? output.threshold : undefined;
}

/** A row's class: for a binary model with the probability of class 1, else with that of the predicted class. */
export interface ClassPrediction {
  probability: number;
  class: number;
}

/** A row's numbers, of a model that tells no classes. */
interface ValuesPrediction {
  values: number[];
}

/** A row's answer. */
export type Prediction = ClassPrediction | ValuesPrediction;

/** Reads the raw outputs of some rows, row after row, as predictions: all of one kind. */
export function decide(output: RowForm["output"], values: ArrayLike<number>): Prediction[] {
  const width = outputWidth(output);
  const predictions: Prediction[] = [];
  for (let start = 0; start + width <= values.length; start += width)
    predictions.push(read(output, values, start, width));
  return predictions;
}

function read(output: RowForm["output"], values: ArrayLike<number>, start: number, width: number): Prediction {
  switch (output.kind) {
    case "binary": {
      const probability = values[start] as number;
      return { probability, class: probability > output.threshold ? 1 : 0 };
    }
    case "values":
      return { values: Array.from({ length: width }, (_, index) => values[start + index] as number) };
    case "classes":
      return largest(values, start, width);
  }
}

function largest(values: ArrayLike<number>, start: number, width: number): ClassPrediction {
  let best = 0;
  for (let index = 1; index < width; index++) {
    if ((values[start + index] as number) > (values[start + best] as number)) best = index;
  }
  return { probability: values[start + best] as number, class: best };
}

/** The class that a prediction names; undefined for one of values. */
export function classOf(prediction: Prediction | undefined): number | undefined {
  return prediction !== undefined && "class" in prediction ? prediction.class : undefined;
}

/** The numbers of a prediction: a class' probability, or its values. */
export function numbersOf(prediction: Prediction): number[] {
  return "class" in prediction ? [prediction.probability] : prediction.values;
}

/** A row's raw outputs class by class: for a binary model the two probabilities, else the outputs as they are. */
export function outputsByClass(output: RowForm["output"], values: ArrayLike<number>): number[] {
  if (output.kind !== "binary") return Array.from(values);
  const probability = values[0] as number;
  return [1 - probability, probability];
}
