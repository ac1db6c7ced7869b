// `npm run test:invariant`: every way for a release to go wrong, under load on one real guest; a few of them are among `npm test`'s.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { ensurePackages, handOver, pinnedNode, root } from "./lib/setup.mjs";

await ensurePackages();
await handOver("src/cli/main.ts", ["cloud", "prepare"]);
const vitest = join(root, "node_modules/vitest/vitest.mjs");
const child = spawn(pinnedNode(), [vitest, "run", "--project", "invariant", ...process.argv.slice(2)], {
  cwd: root,
  stdio: "inherit",
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
process.exitCode = await new Promise((resolve) => child.on("exit", (status) => resolve(status ?? 1)));
