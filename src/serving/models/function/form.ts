import { z } from "zod";

const jsonSchema = z.union([z.record(z.string(), z.unknown()), z.boolean()]);

/** How a function is called and what it may use. Part of the card, so that a host calls it as the import did. */
export const functionFormSchema = z.object({
  /** The parameters' names, which a call's JSON object is taken apart by; absent for a function that takes the object itself. */
  parameters: z.array(z.object({ name: z.string(), optional: z.boolean() })).optional(),
  /** JSON Schemas of a call's arguments and of its result. */
  schema: z.object({ arguments: jsonSchema.optional(), result: jsonSchema.optional() }),
  description: z.string().optional(),
  /** For one question, however many calls it holds; a function that takes longer is stopped. */
  timeoutMs: z.number().int().positive().default(5000),
  /** Of its JavaScript heap, and again of what it holds beside that. */
  memoryMiB: z.number().int().min(16).default(256),
  /** Questions that it works on at a time: more than one is of use to a function that waits for others. */
  concurrency: z.number().int().min(1).max(1024).default(1),
});

export type FunctionForm = z.infer<typeof functionFormSchema>;
