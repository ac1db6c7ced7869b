import { z } from "zod";
import { identitySchema } from "../models/registry.ts";
import { describing } from "./schemas.ts";

/** Rows as a request has them. What the model takes decides more than a schema can say: rows.ts checks them. */
export const rowsBody = describing(
  z.object({ rows: z.array(z.array(z.number().describe("a finite float32")).describe("one number a feature")).min(1) }),
);

/** The model that answered. */
export const modelIdentity = identitySchema.meta({ id: "Model" });

/** What a model says of a row: a class and its probability, or the numbers of a model that tells no classes. */
export const prediction = z
  .union([
    z.object({
      probability: z.number().describe("of class 1 for a model with one output, else of the predicted class"),
      class: z.int().min(0),
    }),
    z.object({ values: z.array(z.number()) }),
  ])
  .meta({ id: "Prediction" });

/** The answer to rows: one prediction for each, in order, and the model that made them. */
export const predictionsAnswer = z
  .object({ model: modelIdentity, predictions: z.array(prediction) })
  .meta({ id: "Predictions" });
