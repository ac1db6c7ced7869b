// Takes out of the packages what this machine never reads, which is more than a third of them: npm installs a package whole or not at all.
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

const { platform, arch } = process;

/** Paths below node_modules. */
const unread = [
  // ONNX Runtime's libraries for other systems
  new RegExp(`^onnxruntime-node/bin/napi-v\\d+/(?!${platform}(?:/|$))[^/]+$`),
  new RegExp(`^onnxruntime-node/bin/napi-v\\d+/${platform}/(?!${arch}$)[^/]+$`),
  // Node's C headers: no addon is compiled
  /^node-linux-[^/]+\/include$/,
  // builds for browsers and bundlers
  /^h5wasm\/dist\/(?:esm|iife)$/,
  /^csv-parse\/dist\/(?:iife|umd)$/,
  /^handlebars\/dist\/(?:amd|handlebars[^/]*\.js)$/,
  /^@opentelemetry\/[^/]+\/build\/(?:esm|esnext)$/,
  // a framework's own tests and pages
  /^fastify\/(?:test|docs|examples)$/,
  // TypeScript's messages in other languages
  /^typescript\/lib\/[a-z]{2}(?:-[a-z]{2})?$/,
  // the TypeScript inside Pulumi's SDK, for programs that have none
  /^(?:@pulumi\/pulumi|pulumi-sdk-recorded)\/vendor\/typescript@[^/]+$/,
  // maps to sources that are not there
  /\.[cm]?[jt]s\.map$/,
];

/** Removes it from the packages in `modules`; what is gone already is no matter. Folders that are linked into it are somebody's own. */
export function prunePackages(modules, below = "") {
  for (const entry of readdirSync(join(modules, below), { withFileTypes: true })) {
    const path = join(below, entry.name);
    if (unread.some((pattern) => pattern.test(path))) rmSync(join(modules, path), { recursive: true, force: true });
    else if (entry.isDirectory()) prunePackages(modules, path);
  }
}
