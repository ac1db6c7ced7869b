// `npm test`: sets up as `npm start` does, runs every test, and closes with one line: N passed, N failed, N skipped.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensurePackages, handOver, pinnedNode, root } from "./lib/setup.mjs";

await ensurePackages();
// Host packages and the guest image, or the reason why guests cannot run here; the tests that need guests then skip themselves.
await handOver("src/cli/main.ts", ["cloud", "prepare"]);
// A browser, or the reason why there is none; the tests of the pages then skip themselves.
await handOver("test/serving/web/install-browser.ts", []);

const results = mkdtempSync(join(tmpdir(), "slipway-test-"));
const total = { passed: 0, failed: 0, skipped: 0 };
let broken = false;
// The fast tests first and alone: guests take both cores, and whoever breaks a unit wants to know at once.
for (const project of ["fast", "e2e"]) {
  const report = join(results, `${project}.json`);
  const status = await vitest([
    "run",
    "--project",
    project,
    "--reporter=default",
    "--reporter=json",
    `--outputFile=${report}`,
    ...process.argv.slice(2),
  ]);
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(readFileSync(report, "utf8"));
  total.passed += numPassedTests;
  total.failed += numFailedTests;
  total.skipped += numPendingTests + numTodoTests;
  broken ||= status !== 0;
}
rmSync(results, { recursive: true });
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = broken || total.failed > 0 ? 1 : 0;

function vitest(args) {
  const child = spawn(pinnedNode(), [join(root, "node_modules/vitest/vitest.mjs"), ...args], {
    cwd: root,
    stdio: "inherit",
  });
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => child.on("exit", (status) => resolve(status ?? 1)));
}
