import { readFile } from "node:fs/promises";
import { findPackageJSON } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { SlipwayError } from "../common/errors.ts";
import { filesBelow } from "../common/files.ts";
import type { ArchiveEntry } from "./archive.ts";

/** Architectures that both Node and ONNX Runtime are packaged for, by Node's names. */
export type Architecture = "x64" | "arm64";

/** What the runtime layer is made of: installed npm packages, each with the parts that a host needs. */
interface Part {
  package: string;
  version: string;
  /** The package's folder. */
  from: string;
  /** Folder in the layer. */
  to: string;
  /** What the package is there for: without it nothing runs. */
  binary?: RegExp;
  /** What else is taken. */
  wanted: (path: string) => boolean;
}

/** Node and ONNX Runtime for Linux, as the lockfile pins them. */
export async function runtimeParts(projectRoot: string, arch: Architecture): Promise<Part[]> {
  const licence = /^LICEN[CS]E/i;
  const parts: Omit<Part, "version" | "from">[] = [
    { package: `node-linux-${arch}`, to: "", binary: /^bin\/node$/, wanted: (path) => licence.test(path) },
    {
      package: "onnxruntime-node",
      to: "node_modules/onnxruntime-node/",
      // CUDA's provider libraries, where someone put them, are no part of this layer
      binary: new RegExp(`^bin/napi-v\\d+/linux/${arch}/(?:libonnxruntime\\.so[.\\d]*|onnxruntime_binding\\.node)$`),
      wanted: (path) => path === "package.json" || licence.test(path) || /^dist\/.*\.js$/.test(path),
    },
    {
      package: "onnxruntime-common",
      to: "node_modules/onnxruntime-common/",
      wanted: (path) =>
        /^(?:dist\/cjs\/)?package\.json$/.test(path) || licence.test(path) || /^dist\/cjs\/.*\.js$/.test(path),
    },
  ];
  return Promise.all(
    parts.map(async (part) => {
      const from = folderOf(projectRoot, part.package);
      const { version } = JSON.parse(await readFile(join(from, "package.json"), "utf8")) as { version: string };
      return { ...part, from, version };
    }),
  );
}

/** Everything that the layer's content depends on. */
export function runtimeRecipe(parts: Part[]): string {
  // the first number counts changes of the layout above
  return JSON.stringify([1, process.versions.zlib, parts.map((part) => [part.package, part.version, part.to])]);
}

/** @throws SlipwayError E_PAYLOAD_MISSING when a package is there without its binaries: those of another architecture were left out */
export async function runtimeEntries(parts: Part[]): Promise<ArchiveEntry[]> {
  const entries = await Promise.all(
    parts.map(async ({ package: name, from, to, binary, wanted }) => {
      const files = await ownFiles(from);
      if (binary !== undefined && !files.some((path) => binary.test(path))) throw notInstalled(name);
      return files
        .filter((path) => wanted(path) || binary?.test(path))
        .map((path) => ({
          name: `${to}${path}`,
          content: { file: join(from, path) },
          executable: path === "bin/node",
        }));
    }),
  );
  return entries.flat();
}

/** A package's own files, without packages nested in it. */
async function ownFiles(folder: string): Promise<string[]> {
  return (await filesBelow(folder)).filter((path) => !path.startsWith("node_modules/"));
}

function folderOf(projectRoot: string, name: string): string {
  try {
    // resolves past a package's `exports`, which may hide its package.json
    const found = findPackageJSON(name, pathToFileURL(join(projectRoot, "package.json")));
    if (found !== undefined) return dirname(found);
  } catch {
    // it throws for a package that is not there
  }
  throw notInstalled(name);
}

function notInstalled(name: string): SlipwayError {
  return new SlipwayError(
    "E_PAYLOAD_MISSING",
    `the npm package ${name} is not installed for the hosts' architecture: they cannot be given their runtime`,
    { hint: "Run `npm install --no-save`, or build the payload on a Linux machine of the hosts' architecture." },
  );
}
