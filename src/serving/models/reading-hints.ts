import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { isErrno, messageOf, SlipwayError } from "../../common/errors.ts";
import type { RowForm } from "./card.ts";

/** `model.yaml` beside a model: how its numbers are read, where the file itself does not tell. */
const hintsSchema = z.strictObject({
  /** What the features are called, in order. */
  columns: z.array(z.string()).optional(),
  output: z
    .discriminatedUnion("kind", [
      z.strictObject({ kind: z.literal("binary"), threshold: z.number().min(0).max(1).default(0.5) }),
      z.strictObject({ kind: z.literal("classes") }),
      z.strictObject({ kind: z.literal("values") }),
    ])
    .optional(),
});

export type ReadingHints = z.infer<typeof hintsSchema>;

/** What `model.yaml` beside a model's file says; nothing where there is none. Throws SlipwayError E_MODEL_INVALID. */
export async function readingHintsBeside(file: string): Promise<ReadingHints> {
  const text = await readFile(join(dirname(file), "model.yaml"), "utf8").catch((error: unknown) => {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  });
  if (text === undefined) return {};
  const { parse } = await import("yaml");
  try {
    return hintsSchema.parse(parse(text) ?? {});
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : messageOf(cause);
    throw new SlipwayError("E_MODEL_INVALID", `model.yaml: ${reason}`, { cause });
  }
}

/** The form as the hints have it. Throws SlipwayError E_MODEL_INVALID where they do not fit the model. */
export function asHinted(form: RowForm | undefined, { output, columns }: ReadingHints): RowForm | undefined {
  if (output === undefined && columns === undefined) return form;
  if (form === undefined) throw misfit("the model takes no rows of numbers");
  const { features } = form.input;
  if (columns && columns.length !== features) {
    throw misfit(`${columns.length} columns are named, the model takes ${features} numbers`);
  }
  return {
    input: { ...form.input, ...(columns && { columns }) },
    output: output === undefined ? form.output : outputOf(form.output, output),
  };
}

function outputOf(form: RowForm["output"], wanted: NonNullable<ReadingHints["output"]>): RowForm["output"] {
  const { name } = form;
  const width = form.kind === "binary" ? 1 : form.kind === "classes" ? form.classes : form.width;
  if (wanted.kind === "values") return { kind: "values", name, width };
  if (wanted.kind === "binary") {
    if (width !== 1) throw misfit(`a binary model answers one number for a row, this one ${width}`);
    return { kind: "binary", name, threshold: wanted.threshold };
  }
  if (width < 2) throw misfit("a model of classes answers a number for each, this one answers one");
  return { kind: "classes", name, classes: width };
}

function misfit(reason: string): SlipwayError {
  return new SlipwayError("E_MODEL_INVALID", `model.yaml does not fit: ${reason}`);
}
