import { describe, expect, it } from "vitest";
import { commandCheck } from "../../../src/health/gate/own-command.ts";

const run = (command: string[], over: { timeoutMs?: number; signal?: AbortSignal } = {}) =>
  commandCheck({
    command,
    cwd: "/",
    told: { SLIPWAY_MODEL_DIGEST: "sha256:00" },
    timeoutMs: 60_000,
    signal: new AbortController().signal,
    onLine: () => undefined,
    ...over,
  });

describe("a command of one's own", () => {
  it("lets through by exit status 0, and is told of the model", async () => {
    expect(await run(["sh", "-c", "echo $SLIPWAY_MODEL_DIGEST $PATH"])).toMatchObject({
      passed: true,
      lines: [`sha256:00 ${process.env.PATH}`],
    });
  });
  it("refuses by another one, with its last lines, and without what could control a terminal", async () => {
    const script = "seq 100; printf '\\033[31mred\\n' >&2; exit 3";
    const check = await run(["sh", "-c", script]);
    expect(check).toMatchObject({ passed: false, text: "sh ended with 3" });
    expect(check.lines).toHaveLength(20);
    expect(check.lines).toContain("red");
  });
  it("refuses when it runs past its time, and when it cannot be started", async () => {
    expect(await run(["sleep", "60"], { timeoutMs: 50 })).toMatchObject({
      passed: false,
      text: "sleep ran past its 0.05 s",
    });
    expect(await run(["/nowhere/judge"])).toMatchObject({
      passed: false,
      text: expect.stringContaining("could not be started"),
    });
  });
  it("is ended by an interruption, which is no verdict", async () => {
    const signal = AbortSignal.abort(new Error("interrupted"));
    await expect(run(["sleep", "60"], { signal })).rejects.toThrow("interrupted");
  });
});
