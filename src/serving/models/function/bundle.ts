import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { messageOf, SlipwayError } from "../../../common/errors.ts";

const SOURCE = /\.(ts|mts|js|mjs)$/;
const NO_SOURCE = /\.(test|spec|config|d)\.[cm]?[jt]s$/;
/** Tried in this order in a folder. */
const NAMES = ["model", "predict", "index", "main"];
const LARGEST_BYTES = 64 * 1024 * 1024;

/** The file of a function model: the path itself, or the one in the folder that is named as such, or the only one. Undefined where there is none. */
export async function functionFile(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile()) return SOURCE.test(path) ? path : undefined;
  if (!found?.isDirectory()) return undefined;
  const sources = (await readdir(path)).filter((name) => SOURCE.test(name) && !NO_SOURCE.test(name)).sort();
  const stem = (name: string) => name.replace(SOURCE, "");
  const named = NAMES.flatMap((name) => sources.filter((source) => stem(source) === name))[0];
  if (named !== undefined) return join(path, named);
  if (sources.length > 1) {
    throw invalid(
      `${path} holds ${sources.join(", ")}: call the one with the function predict model${SOURCE.exec(sources[0] as string)?.[0]}`,
    );
  }
  return sources[0] && join(path, sources[0]);
}

/** For packages that still call `require` for Node's own modules. */
const banner =
  'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);';

/**
 * A function's module with all that it imports as one ES module: nothing of its folder is needed where it runs.
 * @throws SlipwayError E_MODEL_INVALID where something cannot be read, found or packed
 */
export async function bundleFunction(file: string): Promise<Uint8Array> {
  // loaded here: no host has it, and no other import needs it
  const { build } = await import("esbuild");
  let code: Uint8Array | undefined;
  try {
    const { outputFiles } = await build({
      absWorkingDir: dirname(resolve(file)),
      entryPoints: [resolve(file)],
      outfile: "function.mjs",
      bundle: true,
      platform: "node",
      target: "node24",
      format: "esm",
      mainFields: ["module", "main"],
      // errors name functions as the source does
      keepNames: true,
      // without the comments that say where things lay
      minifyWhitespace: true,
      banner: { js: banner },
      loader: { ".txt": "text", ".csv": "text", ".wasm": "binary", ".bin": "binary" },
      // whatever lies above the model's folder says nothing of it
      tsconfigRaw: "{}",
      write: false,
      logLevel: "silent",
    });
    code = outputFiles[0]?.contents;
  } catch (cause) {
    throw invalid(`${basename(file)} cannot be packed: ${firstError(cause)}`, cause);
  }
  if (code === undefined || code.length > LARGEST_BYTES) {
    throw invalid(`${basename(file)} comes to ${code?.length} bytes with what it imports, ${LARGEST_BYTES} are taken`);
  }
  return code;
}

function firstError(cause: unknown): string {
  const { errors } = cause as { errors?: { text: string; location?: { file: string; line: number } | null }[] };
  const [first] = errors ?? [];
  if (first === undefined) return messageOf(cause);
  return first.location ? `${first.text} (${basename(first.location.file)}:${first.location.line})` : first.text;
}

function invalid(reason: string, cause?: unknown): SlipwayError {
  return new SlipwayError("E_MODEL_INVALID", reason, {
    hint: "Name a JavaScript or TypeScript module that exports a function predict, with its packages installed beside it.",
    cause,
  });
}
