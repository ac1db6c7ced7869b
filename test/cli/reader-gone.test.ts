import { spawn } from "node:child_process";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Slipway } from "../e2e/slipway.ts";

let slipway: Slipway;
beforeAll(async () => {
  slipway = await Slipway.create();
});
afterAll(() => slipway?.remove());

it.each([
  [["completion", "bash"], 0],
  [["render", "nosuch", "--json"], 2],
])("%j ends as it would with a reader", async (args, expected) => {
  const child = spawn(process.execPath, [`${slipway.projectRoot}/src/cli/main.ts`, ...args], {
    cwd: slipway.projectRoot,
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stdout.destroy();
  let stderr = "";
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const exitCode = await new Promise((resolve) => child.on("close", resolve));
  expect({ exitCode, stderr }).toEqual({ exitCode: expected, stderr: "" });
});
