import { chmod, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { OperationOptions } from "../../../src/engine/engine.ts";
import { createOfficialEngine } from "../../../src/engine/official/official-engine.ts";
import { automationOptions } from "../../../src/engine/official/operation.ts";
import { failureOf, Workbench } from "../support/workbench.ts";

// Needs no CLI: what is there instead is missing, or no CLI at all.
let bench: Workbench;
beforeEach(async () => {
  bench = await Workbench.of("network");
  vi.stubEnv("PULUMI_HOME", join(bench.state, "home"));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await bench.dispose();
});
const files = async () => (await readdir(bench.state, { recursive: true })).filter((name) => name.endsWith(".json"));

test("an engine that is missing makes no state", async () => {
  vi.stubEnv("PATH", "/nowhere");
  const engine = createOfficialEngine();
  for (const verb of ["preview", "up"] as const) {
    expect(await failureOf(engine[verb](bench.stack))).toMatchObject({ code: "E_ENGINE_MISSING" });
  }
  expect(await files()).toEqual([]);
});

test("every option of an operation is handed on in the Automation API's words", () => {
  const options: Required<Omit<OperationOptions, "onEvent" | "signal">> = {
    parallel: 2,
    targets: ["urn:a"],
    targetDependents: true,
    replaces: ["urn:b"],
    refresh: false,
  };
  expect(automationOptions(options)).toEqual({
    parallel: 2,
    target: ["urn:a"],
    targetDependents: true,
    replace: ["urn:b"],
    refresh: false,
  });
});

test("a preview takes the state back that it made, also where the CLI cannot be worked with", async () => {
  const folder = join(bench.state, "bin");
  await mkdir(folder);
  for (const name of ["pulumi", "pulumi-language-nodejs"]) {
    await writeFile(join(folder, name), "#!/bin/sh\necho this is no version\nexit 3\n");
    await chmod(join(folder, name), 0o755);
  }
  vi.stubEnv("PATH", `${folder}:/usr/bin:/bin`);
  expect(await failureOf(createOfficialEngine().preview(bench.stack))).toMatchObject({
    code: "E_ENGINE_MISSING",
    message: expect.stringContaining("cannot be used as the official engine"),
  });
  expect(await files()).toEqual([]);
});
