import { realpath } from "node:fs/promises";
import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { CommandError, run } from "../../src/common/process.ts";

const failureOf = async (attempt: Promise<unknown>): Promise<CommandError> => {
  const error = await attempt.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof CommandError)) throw new Error(`expected a CommandError, got ${String(error)}`);
  return error;
};

test("returns what a command printed, each stream by itself", async () => {
  expect(await run("sh", ["-c", "echo out; echo err >&2"])).toEqual({ stdout: "out\n", stderr: "err\n" });
});

test("passes input, environment and folder, and no argument through a shell", async () => {
  expect((await run("cat", [], { input: "täglich" })).stdout).toBe("täglich");
  const { stdout } = await run("sh", ["-c", 'echo "$WORD"; pwd; echo "$1"', "sh", "$(id)"], {
    env: { PATH: process.env.PATH, WORD: "gate" },
    cwd: tmpdir(),
  });
  expect(stdout).toBe(`gate\n${await realpath(tmpdir())}\n$(id)\n`);
});

test("a status other than 0 is an error with the status, the streams and the command's own words", async () => {
  const error = await failureOf(run("sh", ["-c", "echo half; echo no space left >&2; exit 3"]));
  expect(error).toMatchObject({ exitCode: 3, stdout: "half\n", stderr: "no space left\n" });
  expect(error.message).toContain("exit status 3");
  expect(error.message).toContain("no space left");
});

test("a command that does not exist is an error that names it", async () => {
  const error = await failureOf(run("/nonexistent/slipway-no-such-command", ["--flag"]));
  expect(error.message).toMatch(/^\/nonexistent\/slipway-no-such-command --flag: .*ENOENT/);
  expect(error.exitCode).toBeNull();
});

test("input that the command does not read is no error", async () => {
  expect(await run("true", [], { input: Buffer.alloc(1_000_000) })).toEqual({ stdout: "", stderr: "" });
});

test("a command that runs past its time is ended and says so", async () => {
  const started = performance.now();
  const error = await failureOf(run("sleep", ["30"], { timeoutMs: 100 }));
  expect(error.message).toContain("ran past its 0.1 s");
  expect(performance.now() - started).toBeLessThan(5000);
});

test("what the command left in the background cannot hold up its end", async () => {
  const started = performance.now();
  const { stdout } = await run("sh", ["-c", "sleep 5 & echo started"]);
  expect(stdout).toBe("started\n");
  await failureOf(run("sh", ["-c", "sleep 5 & wait"], { timeoutMs: 100 }));
  expect(performance.now() - started).toBeLessThan(4500);
});
