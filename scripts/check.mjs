// `npm run check`: types, Biome, import rules, unused code. Runs all of them and fails if one does.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ensurePackages, pinnedNode, root } from "./lib/setup.mjs";

await ensurePackages();
const modules = (path) => join(root, "node_modules", path);
const checks = [
  ["types", modules("typescript/bin/tsc"), ["-p", "."]],
  ["types of pages' scripts", modules("typescript/bin/tsc"), ["-p", "src/serving/web/client"]],
  ["Biome", modules("@biomejs/biome/bin/biome"), ["check", "--error-on-warnings", "."]],
  ["import rules", modules("dependency-cruiser/bin/dependency-cruise.mjs"), ["src", "stacks", "test"]],
  ["unused code", modules("knip/bin/knip.js"), []],
];
const failed = checks.filter(([name, script, args]) => {
  console.log(`— ${name}`);
  return spawnSync(pinnedNode(), [script, ...args], { cwd: root, stdio: "inherit" }).status !== 0;
});
if (failed.length > 0) console.error(`failed: ${failed.map(([name]) => name).join(", ")}`);
process.exitCode = failed.length > 0 ? 1 : 0;
