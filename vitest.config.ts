import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { compileCache } from "./src/common/compile-cache.mjs";

// Two projects: `fast` needs nothing but Node; `e2e` boots real guests one test file at a time (a boot costs seconds of CPU).
// `npm test` runs both at once.
export default defineConfig({
  test: {
    // a test's processes compile what they load once for all of them: a third of the processor time of the tests that start many
    env: { NODE_COMPILE_CACHE: compileCache() },
    projects: [
      {
        test: {
          name: "fast",
          include: ["test/**/*.test.ts"],
          exclude: ["test/e2e/**", "test/invariant/**"],
          // Vitest would leave one core to itself, and with it one file at a time on two: much of a test is waiting
          maxWorkers: Math.max(2, availableParallelism() - 1),
          // a test of the engine runs several programs, and each loads the SDK: seconds where the machine is busy
          testTimeout: 90_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          globalSetup: ["test/e2e/reap.ts"],
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 300_000,
        },
      },
      {
        // every way for a release to go wrong: minutes, and a few of them are in `e2e`
        test: {
          name: "invariant",
          include: ["test/invariant/**/*.test.ts"],
          globalSetup: ["test/e2e/reap.ts"],
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
