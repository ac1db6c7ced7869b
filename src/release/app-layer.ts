import { readdir, readFile } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import type { Plugin } from "esbuild";
import { digestOf } from "../common/digest.ts";
import { isErrno } from "../common/errors.ts";
import { filesBelow } from "../common/files.ts";
import type { ArchiveEntry } from "./archive.ts";

/** What can change the bundles: our sources, and by the lockfile every package. */
const inputs = ["src/guest", "src/serving", "src/common", "package-lock.json"];
/** Folders with entry points `main-<name>.ts`; each becomes `<name>.mjs`. */
const entryFolders = ["src/guest", "src/serving"];
const webFolder = "src/serving/web";
/** The files of Bull Board's page, which are read from beside the bundles. */
const boardFolder = "node_modules/@bull-board/ui/dist";
const LAYOUT = 3;

/** CommonJS packages in an ES module bundle still call `require` for Node's own modules. */
const banner =
  'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);';

/**
 * ONNX Runtime is native and lies in the runtime layer, beside the Node binary that runs the bundle: it is looked up from there, so that
 * the two layers need not know each other's place.
 */
const onnxRuntimeBesideNode: Plugin = {
  name: "onnxruntime-beside-node",
  setup(build) {
    build.onResolve({ filter: /^onnxruntime-node$/ }, ({ path }) => ({ path, namespace: "beside-node" }));
    build.onLoad({ filter: /.*/, namespace: "beside-node" }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule("node:module").createRequire(process.execPath)(${JSON.stringify(path)});`,
      loader: "js",
    }));
  },
};

/** Everything that the app layer's content depends on, as one text. */
export async function appRecipe(projectRoot: string): Promise<string> {
  const files = (await Promise.all(inputs.map((input) => filesAt(projectRoot, input)))).flat().sort();
  const digests = await Promise.all(files.map(async (file) => digestOf(await readFile(join(projectRoot, file)))));
  return JSON.stringify([LAYOUT, process.versions.node, files.map((file, index) => [file, digests[index]])]);
}

/** The bundles of what runs on hosts, and the web assets as they are. */
export async function appEntries(projectRoot: string): Promise<ArchiveEntry[]> {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    absWorkingDir: projectRoot,
    entryPoints: await entryPoints(projectRoot),
    outdir: "/",
    outExtension: { ".js": ".mjs" },
    bundle: true,
    // Names stay as they are, so that errors on hosts name functions as the source does. `keepNames` would do that for minified ones, too,
    // by a call at every function that is made, on the way of every request.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "none",
    platform: "node",
    target: "node24",
    format: "esm",
    banner: { js: banner },
    plugins: [onnxRuntimeBesideNode],
    write: false,
    logLevel: "silent",
  });
  const bundles = outputFiles.map(({ path, contents }) => ({ name: basename(path), content: { bytes: contents } }));
  const assets = (await filesAt(projectRoot, webFolder))
    .filter((file) => !/\.ts$|tsconfig\.json$/.test(file))
    .map((file) => ({
      name: join("web", relative(webFolder, file)),
      content: { file: join(projectRoot, file) },
    }));
  const board = (await filesAt(projectRoot, boardFolder))
    .filter((file) => !file.endsWith(".map"))
    .map((file) => ({
      name: join("bull-board", "dist", relative(boardFolder, file)),
      content: { file: join(projectRoot, file) },
    }));
  return [...bundles, ...assets, ...board];
}

async function entryPoints(projectRoot: string): Promise<{ in: string; out: string }[]> {
  const found = await Promise.all(
    entryFolders.map(async (folder) => (await readdir(join(projectRoot, folder))).map((file) => join(folder, file))),
  );
  return found
    .flat()
    .flatMap((path) => {
      const name = /^main-([a-z-]+)\.ts$/.exec(basename(path))?.[1];
      return name === undefined ? [] : [{ in: path, out: name }];
    })
    .sort((a, b) => (a.out < b.out ? -1 : 1));
}

/** The files at a path, a folder or a single file, relative to the project; none where there is nothing. */
async function filesAt(projectRoot: string, path: string): Promise<string[]> {
  try {
    return (await filesBelow(join(projectRoot, path))).map((file) => join(path, file));
  } catch (error) {
    if (isErrno(error, "ENOTDIR")) return [path];
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}
