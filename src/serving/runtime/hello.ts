import { z } from "zod";
import { modelCardSchema } from "../models/card.ts";
import { identitySchema } from "../models/current.ts";

/** What a runtime says first on every connection: what it serves, as long as the connection lasts. */
export const helloSchema = z.object({
  model: identitySchema,
  card: modelCardSchema,
  /** ONNX Runtime's version. */
  onnxruntime: z.string(),
});

export type Hello = z.infer<typeof helloSchema>;

/** Why a runtime gave no answer. */
export const refusalSchema = z.object({
  /** `overloaded`: too many rows wait. `invalid`: the frame does not fit the model. `failed`: the computation broke. */
  reason: z.enum(["overloaded", "invalid", "failed"]),
  message: z.string(),
});

export type Refusal = z.infer<typeof refusalSchema>;
