import { z } from "zod";

const fileDigest = z.object({ name: z.string(), digest: z.templateLiteral([z.literal("sha256:"), z.string()]) });

/** What a model takes, what it answers and where it comes from. */
export const modelCardSchema = z.object({
  schemaVersion: z.literal(1),
  input: z.object({
    /** The ONNX graph's input tensor, float32 `[rows, features]`. */
    name: z.string(),
    features: z.number().int().positive(),
    /** The features' names, where the data that travels with the model has a header. */
    columns: z.array(z.string()).optional(),
  }),
  output: z.discriminatedUnion("kind", [
    /** One number: the probability of class 1. Class 1 is predicted above the threshold. */
    z.object({ kind: z.literal("binary"), name: z.string(), threshold: z.number() }),
    /** A number for each class; the largest is predicted. */
    z.object({ kind: z.literal("classes"), name: z.string(), classes: z.number().int().min(2) }),
  ]),
  /** The files that the user gave. */
  source: z.object({ format: z.enum(["keras-json+h5", "keras-h5", "onnx"]), files: z.array(fileDigest) }),
});

export type ModelCard = z.infer<typeof modelCardSchema>;

/** `slipway-model.json`: the card with the digests of the package's other files, which a torn package does not fit. */
export const packedCardSchema = modelCardSchema.extend({ files: z.array(fileDigest) });

/** What the features are called: as the data names them, else by their place. */
export function featureNames({ features, columns }: ModelCard["input"]): string[] {
  return Array.from({ length: features }, (_, column) => columns?.[column] || `value ${column + 1}`);
}

/** Numbers that the model answers for a row. */
export function outputWidth(output: ModelCard["output"]): number {
  return output.kind === "binary" ? 1 : output.classes;
}

/** The threshold's default: Keras' `predict_classes` and `round(predict)` both put an output of exactly one half into class 0. */
const CLASS_THRESHOLD = 0.5;

/** How an output tensor of this width is read. */
export function outputOfWidth(name: string, width: number): ModelCard["output"] {
  return width === 1 ? { kind: "binary", name, threshold: CLASS_THRESHOLD } : { kind: "classes", name, classes: width };
}

/** Above which probability class 1 is predicted; undefined for a model with more than one output. */
export function thresholdOf(output: ModelCard["output"]): number | undefined {
  return output.kind === "binary" ? output.threshold : undefined;
}

/** A row's answer: for a binary model the probability of class 1, else the probability of the predicted class. */
export interface Prediction {
  probability: number;
  class: number;
}

/** Reads the raw outputs of some rows, row after row, as predictions. */
export function decide(output: ModelCard["output"], values: ArrayLike<number>): Prediction[] {
  const width = outputWidth(output);
  return Array.from({ length: values.length / width }, (_, row) => {
    if (output.kind === "binary") {
      const probability = values[row] as number;
      return { probability, class: probability > output.threshold ? 1 : 0 };
    }
    let best = 0;
    for (let index = 1; index < width; index++) {
      if ((values[row * width + index] as number) > (values[row * width + best] as number)) best = index;
    }
    return { probability: values[row * width + best] as number, class: best };
  });
}

/** A row's raw outputs class by class: for a binary model the two probabilities, else the outputs as they are. */
export function outputsByClass(output: ModelCard["output"], values: ArrayLike<number>): number[] {
  if (output.kind === "classes") return Array.from(values);
  const probability = values[0] as number;
  return [1 - probability, probability];
}
