import { z } from "zod";
import { gateSchema } from "../guest/release-terms.ts";

const text = z.string().trim().min(1, "must not be empty");

export const accuracySchema = z.strictObject({
  table: text.describe("CSV file from the project's root: the features, and the true class"),
  target: text.optional().describe("Name of the column with the true class; the last one unless given"),
  min: z.number().min(0).max(1).optional().describe("Share of rows that must come out right"),
  maxDrop: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe("By how much the share may be below that of the model that serves"),
});

/** What a release must pass: the hosts' own thresholds, and what is judged before anything is published. */
export const gateSettingsSchema = z.strictObject({
  ...gateSchema.shape,
  maxMegabytes: z.number().positive().optional().describe("Largest package of a model, in 10⁶ bytes"),
  accuracy: accuracySchema.optional(),
  command: z
    .array(text)
    .min(1)
    .optional()
    .describe("A program of your own with its arguments; it refuses by its exit status"),
  commandSeconds: z.number().positive().max(86_400).default(600).describe("How long it may take"),
});

export type GateSettings = z.infer<typeof gateSettingsSchema>;
