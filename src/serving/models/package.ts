import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { pack } from "tar-stream";
import type { z } from "zod";
import { type Digest, digestOf } from "../../common/digest.ts";
import { messageOf, SlipwayError } from "../../common/errors.ts";
import { pathExists, readTextIfExists } from "../../common/files.ts";
import { type ModelCard, packedCardSchema } from "./card.ts";
import { type Golden, goldenSchema } from "./golden.ts";

const CARD = "slipway-model.json";
const MODEL = "model.onnx";
/** What a function model's package has in its place. */
export const FUNCTION = "function.mjs";
const GOLDEN = "golden.json";
const DATA = "data.csv";
const TRAINING = "training.json";

interface PackageParts {
  card: ModelCard;
  golden: Golden;
  /** The text of the CSV file that travels with the model. */
  data: string | undefined;
  /** The text of `training.json`: where a model comes from that Slipway trained. */
  training?: string | undefined;
}

/** A model as it travels to a host and lies there: a few files in one folder. */
export interface ModelPackage extends PackageParts {
  onnx: Uint8Array;
}

/** The same of a function: the text of its module. */
export interface FunctionPackage extends PackageParts {
  code: Uint8Array;
}

/** A package of either kind. */
export type AnyPackage = ModelPackage | FunctionPackage;

/** The package's files by name, `slipway-model.json` with the digests of the others among them. */
function packageFiles(model: AnyPackage): Map<string, Uint8Array> {
  const { card, golden, data, training } = model;
  const content = new Map<string, Uint8Array>([
    "onnx" in model ? [MODEL, model.onnx] : [FUNCTION, model.code],
    [GOLDEN, Buffer.from(`${JSON.stringify(golden)}\n`)],
    ...(data === undefined ? [] : [[DATA, Buffer.from(data)] as const]),
    ...(training === undefined ? [] : [[TRAINING, Buffer.from(training)] as const]),
  ]);
  const files = [...content].map(([name, bytes]) => ({ name, digest: digestOf(bytes) }));
  return content.set(CARD, Buffer.from(`${JSON.stringify({ ...card, files }, null, 2)}\n`));
}

/** The package as one uncompressed tar, the same bytes for the same model on every machine; its digest is the model's digest. */
export async function packageTar(model: AnyPackage): Promise<{ bytes: Uint8Array; digest: Digest }> {
  const archive = pack();
  for (const [name, content] of [...packageFiles(model)].sort(([a], [b]) => (a < b ? -1 : 1))) {
    archive.entry({ name, mode: 0o644, mtime: new Date(0), uid: 0, gid: 0 }, Buffer.from(content));
  }
  archive.finalize();
  const bytes = await buffer(archive);
  return { bytes, digest: digestOf(bytes) };
}

/** Whether a path is a folder with an unpacked package. */
export function isPackage(folder: string): Promise<boolean> {
  return pathExists(join(folder, CARD));
}

/**
 * Reads an unpacked package.
 * @throws SlipwayError E_MODEL_INVALID when a file is missing or is not the one that was packed
 */
export async function readPackage(folder: string): Promise<AnyPackage> {
  const { files, ...card } = parsed(
    packedCardSchema,
    CARD,
    await readFile(join(folder, CARD), "utf8").catch(torn(CARD)),
  );
  for (const { name, digest } of files) {
    const found = digestOf(await readFile(join(folder, name)).catch(torn(name)));
    if (found !== digest) torn(name)(new Error(`it has the digest ${found}, not ${digest}`));
  }
  const parts = {
    card,
    golden: await readGolden(folder),
    data: await readTextIfExists(join(folder, DATA)),
    training: await readTextIfExists(join(folder, TRAINING)),
  };
  const program = async (name: string) => readFile(join(folder, name)).catch(torn(name));
  return card.platform === "function"
    ? { ...parts, code: await program(FUNCTION) }
    : { ...parts, onnx: await program(MODEL) };
}

/** The golden questions of an unpacked package alone. Throws SlipwayError E_MODEL_INVALID where they cannot be read. */
export async function readGolden(folder: string): Promise<Golden> {
  return parsed(goldenSchema, GOLDEN, await readFile(join(folder, GOLDEN), "utf8").catch(torn(GOLDEN)));
}

/** Parses one of the package's JSON files. */
export function parsed<T>(schema: z.ZodType<T>, name: string, text: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new SlipwayError("E_MODEL_INVALID", `${name}: ${messageOf(error)}`, { cause: error });
  }
}

function torn(name: string): (cause: unknown) => never {
  return (cause) => {
    throw new SlipwayError("E_MODEL_INVALID", `the model package is torn at ${name}: ${messageOf(cause)}`, {
      hint: "Deliver the package again.",
      cause,
    });
  };
}
