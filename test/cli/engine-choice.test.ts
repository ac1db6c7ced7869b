import { afterEach, expect, test, vi } from "vitest";
import { chooseEngine } from "../../src/cli/engine-choice.ts";

// Neither a CLI nor a plugin: what a machine has must not decide these tests.
const nothing = () => {
  vi.stubEnv("PATH", "/nowhere");
  vi.stubEnv("PULUMI_HOME", "/nowhere");
  vi.stubEnv("SLIPWAY_ENGINE", "");
};
afterEach(() => vi.unstubAllEnvs());

test("auto is the embedded engine where the official one is not installed, and says so", async () => {
  nothing();
  expect(await chooseEngine("auto", undefined)).toEqual({
    kind: "embedded",
    why: expect.stringContaining("`pulumi` is neither on PATH"),
  });
});

test.each(["embedded", "official"] as const)("auto keeps the engine %s that a stack had", async (recorded) => {
  nothing();
  expect(await chooseEngine("auto", recorded)).toEqual({ kind: recorded, why: "as the last time" });
});

test("an official engine that is asked for and is not there is an error with the way out", async () => {
  nothing();
  await expect(chooseEngine("official", "embedded")).rejects.toMatchObject({
    code: "E_ENGINE_MISSING",
    exitCode: 3,
    hint: expect.stringContaining("--engine embedded"),
  });
});

test("SLIPWAY_ENGINE asks where the command line does not", async () => {
  nothing();
  vi.stubEnv("SLIPWAY_ENGINE", "embedded");
  expect(await chooseEngine("auto", "official")).toMatchObject({ kind: "embedded" });
  await expect(chooseEngine("official", undefined)).rejects.toMatchObject({ code: "E_ENGINE_MISSING" });
});

test("another word in SLIPWAY_ENGINE is an error, not auto", async () => {
  nothing();
  vi.stubEnv("SLIPWAY_ENGINE", "offical");
  await expect(chooseEngine("auto", undefined)).rejects.toMatchObject({ code: "E_USAGE", exitCode: 2 });
  vi.stubEnv("SLIPWAY_ENGINE", "auto");
  expect(await chooseEngine("auto", "embedded")).toMatchObject({ kind: "embedded" });
});

test("a change of engines is told", async () => {
  nothing();
  expect(await chooseEngine("embedded", "official")).toEqual({
    kind: "embedded",
    why: "as asked, after official; both work on the same state",
  });
});
