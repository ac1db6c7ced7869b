import { z } from "zod";
import type { TensorSpec } from "../card.ts";
import { type FunctionForm, functionFormSchema } from "./form.ts";

/** What a function model takes: each element is the JSON text of one call's arguments. */
export const FUNCTION_INPUTS: [TensorSpec] = [{ name: "arguments", datatype: "BYTES", shape: [-1] }];
/** What it answers: each element is the JSON text of one call's result. */
export const FUNCTION_OUTPUTS: [TensorSpec] = [{ name: "result", datatype: "BYTES", shape: [-1] }];

/** Calls with their results, as the module or `golden.json` beside it gives them. */
export const callsSchema = z.array(z.object({ arguments: z.unknown(), result: z.unknown() })).min(1);

/** What a module says of itself. */
export const descriptionSchema = z.object({
  form: functionFormSchema,
  /** Whether calling it twice is as good as calling it once. */
  pure: z.boolean(),
  golden: callsSchema.optional(),
});

export type FunctionDescription = z.infer<typeof descriptionSchema>;

/** What a thread is given at its start. */
export interface ThreadData {
  /** Path of the module. */
  file: string;
  /** As the card has it; absent at the import, where the thread finds out. */
  form?: FunctionForm;
  /** Path of the module as the user wrote it, where parameters still have their names; only at the import. */
  original?: string;
  /** One Int32: how many calls the thread has begun. */
  begun: SharedArrayBuffer;
}

/** One question: the JSON texts of its calls. */
export interface CallMessage {
  id: number;
  calls: string[];
}

/** What a thread says. */
export type ThreadMessage =
  | { kind: "ready"; description: string }
  | { kind: "unusable"; reason: string }
  | { kind: "results"; id: number; results: string[]; bytesBeside: number }
  | { kind: "rejected" | "failed"; id: number; reason: string; bytesBeside: number };
