// `npm test`: sets up as `npm start` does, runs every test, and closes with the slowest files and one line: N passed, N failed, N skipped.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { ensurePackages, handOver, pinnedNode, root } from "./lib/setup.mjs";

/** Files that are told as the slowest. */
const SLOWEST = 20;

await ensurePackages();
// Host packages and the guest image, or the reason why guests cannot run here; the tests that need guests then skip themselves.
await handOver("src/cli/main.ts", ["cloud", "prepare"]);
// A browser, or the reason why there is none; the tests of the pages then skip themselves.
await handOver("test/serving/web/install-browser.ts", []);

const results = mkdtempSync(join(tmpdir(), "slipway-test-"));
const told = join(results, "e2e.txt");
// Both at once: tests with guests wait most of their time, for a boot or an answer, and take less than half a core.
// What they say stands together, behind the fast tests, which show at once what breaks a unit.
const runs = await Promise.all([vitest("fast", "inherit"), vitest("e2e", openSync(told, "w"))]);
process.stdout.write(readFileSync(told));
rmSync(results, { recursive: true });

const files = runs.flatMap((run) => run.files).sort((a, b) => b.seconds - a.seconds);
console.log(`\nthe slowest of ${files.length} files, seconds:`);
for (const { name, seconds } of files.slice(0, SLOWEST)) console.log(`${seconds.toFixed(1).padStart(7)} ${name}`);
const total = (count) => runs.reduce((sum, run) => sum + run[count], 0);
console.log(`${total("passed")} passed, ${total("failed")} failed, ${total("skipped")} skipped`);
process.exitCode = runs.some((run) => run.status !== 0) || total("failed") > 0 ? 1 : 0;

/** Runs a project's tests: how it ended, the number of tests by their end, and how long each file took. */
async function vitest(project, output) {
  const report = join(results, `${project}.json`);
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile=${report}`];
  const status = await ended(["run", "--project", project, ...reporters, ...process.argv.slice(2)], output);
  // one that was killed, or could not even begin, writes no report
  if (!existsSync(report)) return { status: status || 1, passed: 0, failed: 0, skipped: 0, files: [] };
  const { testResults, ...counts } = JSON.parse(readFileSync(report, "utf8"));
  return {
    status,
    passed: counts.numPassedTests,
    failed: counts.numFailedTests,
    skipped: counts.numPendingTests + counts.numTodoTests,
    files: testResults.map(({ name, startTime, endTime }) => ({
      name: relative(root, name),
      seconds: (endTime - startTime) / 1000,
    })),
  };
}

function ended(args, output) {
  const child = spawn(pinnedNode(), [join(root, "node_modules/vitest/vitest.mjs"), ...args], {
    cwd: root,
    stdio: ["ignore", output, output],
  });
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => child.on("exit", (status) => resolve(status ?? 1)));
}
