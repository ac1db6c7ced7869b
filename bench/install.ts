/**
 * What `npm start` installs first: the time that it takes on a fresh clone with a warm npm cache, and its weight. Measures the last
 * commit. Prints Markdown; run it with the pinned Node: `node_modules/.bin/node bench/install.ts [rounds]`.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { diskUsage } from "../test/support/disk-usage.ts";
import { addSample, machineLine, type Samples, table } from "./report.ts";

const rounds = Number(process.argv[2] ?? 3);
const root = join(import.meta.dirname, "..");
const seconds: Samples = new Map();
let weights: [string, number][] = [];

/** A package is a folder of `node_modules`, or a folder of a scope there. */
function packagesOf(modules: string): string[] {
  const names = readdirSync(modules).filter((name) => !name.startsWith("."));
  return names.flatMap((name) =>
    name.startsWith("@") ? readdirSync(join(modules, name)).map((own) => `${name}/${own}`) : [name],
  );
}

// the round before the first one warms the cache
for (let round = 0; round <= rounds; round++) {
  const clone = mkdtempSync(join(tmpdir(), "slipway-install-"));
  try {
    execFileSync("git", ["clone", "--quiet", root, clone]);
    const start = performance.now();
    const install = 'import("./scripts/lib/setup.mjs").then(({ ensurePackages }) => ensurePackages())';
    execFileSync("node", ["--eval", install], { cwd: clone, stdio: ["ignore", 2, 2] });
    if (round > 0) addSample(seconds, "install", (performance.now() - start) / 1000);
    const modules = join(clone, "node_modules");
    weights = packagesOf(modules).map((name) => [name, diskUsage(join(modules, name)) / 1e6]);
    weights.push(["**all**", diskUsage(modules) / 1e6]);
  } finally {
    rmSync(clone, { recursive: true, force: true });
  }
}

const heaviest = weights.toSorted(([, a], [, b]) => b - a).slice(0, 12);
console.log(`${machineLine(rounds)}\n\n${table(seconds, "s")}\n`);
console.log(
  ["| package | MB on disk |", "|---|---|", ...heaviest.map(([name, mb]) => `| ${name} | ${Math.round(mb)} |`)].join(
    "\n",
  ),
);
