// `npm run check`: types, Biome, import rules, unused code. Runs all of them, as many at once as there are cores, and fails if one does.
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { ensurePackages, pinnedNode, root } from "./lib/setup.mjs";

await ensurePackages();
const modules = (path) => join(root, "node_modules", path);
// the longest first
const checks = [
  ["types", modules("typescript/bin/tsc"), ["-p", "."]],
  ["Biome", modules("@biomejs/biome/bin/biome"), ["check", "--error-on-warnings", "."]],
  ["import rules", modules("dependency-cruiser/bin/dependency-cruise.mjs"), ["src", "stacks", "test"]],
  ["unused code", modules("knip/bin/knip.js"), []],
  ["types of pages' scripts", modules("typescript/bin/tsc"), ["-p", "src/serving/web/client"]],
  ["types of the cloud's page's script", modules("typescript/bin/tsc"), ["-p", "src/cloud/dashboard/client"]],
];
const failed = [];
const waiting = [...checks];
await Promise.all(Array.from({ length: availableParallelism() }, runWaiting));
if (failed.length > 0) console.error(`failed: ${failed.join(", ")}`);
process.exitCode = failed.length > 0 ? 1 : 0;

async function runWaiting() {
  for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
    const [name, script, args] = check;
    const { status, said } = await run(script, args);
    console.log(`— ${name}`);
    process.stdout.write(said);
    if (status !== 0) failed.push(name);
  }
}

/** Runs a script to its end; what it says comes at once, so that two that run together do not mix it. */
function run(script, args) {
  const child = spawn(pinnedNode(), [script, ...args], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  const said = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part) => said.push(part));
  return new Promise((resolve) => child.on("close", (status) => resolve({ status, said: Buffer.concat(said) })));
}
