import { open } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { messageOf, SlipwayError } from "../../../common/errors.ts";
import type { RowForm } from "../card.ts";
import { selfContained } from "./inline.ts";
import { type OnnxOutline, outlineOf } from "./inspect.ts";
import { invalidOnnx } from "./invalid.ts";
import { meaningOf } from "./meaning.ts";

/** Protobuf takes no larger message. */
const MOST_BYTES = 2 ** 31 - 1;

/** The operator sets that ONNX Runtime's package brings. */
const KNOWN_DOMAINS = new Set(["", "ai.onnx", "ai.onnx.ml", "ai.onnx.preview.training", "com.microsoft"]);

/**
 * Reads an ONNX file, with what it keeps in other files of its folder put into it.
 * @throws SlipwayError E_MODEL_INVALID for what is none, is too large, or keeps data outside of its folder
 */
export async function readOnnxFile(
  path: string,
): Promise<{ onnx: Uint8Array; meaning: RowForm["output"]["kind"] | undefined }> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    if (size > MOST_BYTES) throw invalidOnnx(`${basename(path)} has ${size} bytes, at most ${MOST_BYTES} are taken`);
    const bytes = await file.readFile();
    const onnx = await asModel(() => selfContained(bytes, dirname(path), MOST_BYTES));
    return { onnx, meaning: meaningOf(requireSound(onnx)) };
  } finally {
    await file.close();
  }
}

/**
 * Reads an ONNX file's outline before ONNX Runtime is given it.
 * @throws SlipwayError E_MODEL_INVALID for one that is none, that refers to other files, or that needs operators which nobody here has
 */
export function requireSound(onnx: Uint8Array): OnnxOutline {
  let outline: OnnxOutline;
  try {
    outline = outlineOf(onnx);
  } catch (cause) {
    throw asInvalid(cause);
  }
  const [external] = outline.external;
  if (external) {
    // ONNX Runtime would look for it from wherever the process was started
    throw invalidOnnx(
      `the data of tensor ${external.name} is in another file, ${JSON.stringify(external.location)}`,
      "Import the model again, with that file in its folder.",
    );
  }
  const { functions } = outline;
  const foreign = outline.operators.find(
    ({ domain, type }) => !KNOWN_DOMAINS.has(domain) && !functions.has(`${domain}:${type}`),
  );
  if (foreign) {
    throw invalidOnnx(
      `it needs the operator ${foreign.type} of ${foreign.domain}, which is not ONNX' own`,
      "Export it with ONNX' own operators; libraries of others are not loaded.",
    );
  }
  return outline;
}

async function asModel<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw asInvalid(error);
  }
}

function asInvalid(cause: unknown): SlipwayError {
  return cause instanceof SlipwayError
    ? cause
    : invalidOnnx(`it is no ONNX file: ${messageOf(cause)}`, undefined, cause);
}
