import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { waitFor } from "../../../../src/common/wait.ts";
import { type Ending, runGuarded } from "../../../../src/serving/training/external/guarded-process.ts";
import { LINE_BYTES, LineReader } from "../../../../src/serving/training/external/lines.ts";
import { readProgress } from "../../../../src/serving/training/external/progress-line.ts";
import { temporaryFolder } from "../support.ts";

/** A shell that starts a child, notes both process ids, and waits for ever, deaf to SIGTERM. */
const stubborn = `trap '' TERM; sleep 300 & echo "$$ $!" > pids.tmp; mv pids.tmp pids; wait; sleep 300`;

async function pidsIn(folder: string): Promise<number[]> {
  const text = await waitFor(
    "the command to start",
    () => readFile(join(folder, "pids"), "utf8").catch(() => undefined),
    {
      timeoutMs: 10_000,
      intervalMs: 10,
    },
  );
  return text.trim().split(" ").map(Number);
}

/** Whether a process is there and no zombie. */
async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  return stat !== undefined && !/\) [ZX] /.test(stat);
}

function untilGone(pids: number[]): Promise<true> {
  const gone = async () => ((await Promise.all(pids.map(isAlive))).some(Boolean) ? undefined : (true as const));
  return waitFor("the processes to be gone", gone, { timeoutMs: 10_000, intervalMs: 20 });
}

/** Runs a script of the shell with a short environment. */
async function runScript(
  script: string,
  options: { cwd?: string; timeoutMs?: number; signal?: AbortSignal } = {},
): Promise<{ ending: Ending; lines: string[] }> {
  const lines: string[] = [];
  const ending = await runGuarded({
    command: ["/bin/sh", "-c", script],
    cwd: options.cwd ?? (await temporaryFolder()),
    env: { PATH: "/usr/bin:/bin" },
    timeoutMs: options.timeoutMs ?? 20_000,
    signal: options.signal,
    onLine: (line, source) => lines.push(`${source}: ${line}`),
  });
  return { ending, lines };
}

describe("a guarded command", () => {
  it("is heard on both streams, and its exit code is told", async () => {
    const { ending, lines } = await runScript("echo one; echo two >&2; printf three; exit 7");
    expect(ending).toEqual({ kind: "exit", code: 7 });
    expect(lines.sort()).toEqual(["stderr: two", "stdout: one", "stdout: three"]);
  });

  it("leaves nothing behind when it ends", async () => {
    const cwd = await temporaryFolder();
    const { ending } = await runScript('sleep 300 & echo "$!" > pids', { cwd });
    expect(ending).toEqual({ kind: "exit", code: 0 });
    await untilGone(await pidsIn(cwd));
  });

  it("is ended with all that it started when its time is over, also where it does not listen", async () => {
    const cwd = await temporaryFolder();
    const { ending } = await runScript(stubborn, { cwd, timeoutMs: 300 });
    expect(ending).toEqual({ kind: "timeout" });
    await untilGone(await pidsIn(cwd));
  });

  it("is ended by an abort", async () => {
    const cwd = await temporaryFolder();
    const stop = new AbortController();
    const running = runScript(stubborn, { cwd, signal: stop.signal });
    const pids = await pidsIn(cwd);
    stop.abort();
    expect((await running).ending).toEqual({ kind: "aborted" });
    await untilGone(pids);
  });

  it("does not outlive the process that runs it, even a killed one", async () => {
    const cwd = await temporaryFolder();
    const module = new URL("../../../../src/serving/training/external/guarded-process.ts", import.meta.url);
    const program = `
      const { runGuarded } = await import(${JSON.stringify(module.href)});
      await runGuarded({ command: ["/bin/sh", "-c", ${JSON.stringify(stubborn)}], cwd: ${JSON.stringify(cwd)},
        env: { PATH: "/usr/bin:/bin" }, timeoutMs: 60_000, signal: undefined, onLine: () => undefined });
    `;
    const parent = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: "ignore" });
    const pids = await pidsIn(cwd);
    parent.kill("SIGKILL");
    await untilGone(pids);
  });

  it("that cannot be started says why", async () => {
    const command = {
      cwd: await temporaryFolder(),
      env: {},
      timeoutMs: 1000,
      signal: undefined,
      onLine: () => undefined,
    };
    expect(await runGuarded({ ...command, command: ["/no/such/program"] })).toMatchObject({
      kind: "not started",
      reason: expect.stringContaining("ENOENT"),
    });
    expect(await runGuarded({ ...command, command: ["/bin/sh\0"] })).toMatchObject({ kind: "not started" });
  });
});

describe("lines", () => {
  it("are the same however the bytes come", () => {
    const line = fc.string({ unit: "grapheme", maxLength: 40 }).map((text) => text.replace(/[\r\n]/g, ""));
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), fc.array(fc.nat({ max: 9 }), { maxLength: 30 }), (lines, cuts) => {
        const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(""));
        const found: string[] = [];
        const reader = new LineReader((text) => found.push(text));
        let at = 0;
        for (const cut of cuts) {
          reader.push(bytes.subarray(at, at + cut));
          at += cut;
        }
        reader.push(bytes.subarray(at));
        reader.end();
        expect(found).toEqual(lines);
      }),
    );
  });

  it("without an end are cut, and cost no memory", () => {
    const found: string[] = [];
    const reader = new LineReader((text) => found.push(text));
    for (let i = 0; i < 100; i++) reader.push(Buffer.alloc(65_536, "x"));
    reader.push(Buffer.from("\nnext\n"));
    expect(found).toEqual(["x".repeat(LINE_BYTES), "next"]);
  });
});

describe("a line of progress", () => {
  it.each([
    ['{"epoch": 3, "epochs": 9, "loss": 0.5, "lr": 1}', { epoch: 3, epochs: 9, loss: 0.5 }],
    ['{"epoch": 3}', { epoch: 3, epochs: 3 }],
    ['{"epoch": 5, "epochs": 2, "valLoss": 1}', { epoch: 5, epochs: 5, valLoss: 1 }],
  ])("is read: %s", (line, progress) => {
    expect(readProgress(line)).toEqual(progress);
  });

  it("is every other line not, whatever it is", () => {
    for (const line of ["", "{", '{"epoch": 0}', '{"epoch": "1"}', '{"epoch": 1, "loss": null}', "[1]", "epoch 1"]) {
      expect(readProgress(line)).toBeUndefined();
    }
    fc.assert(fc.property(fc.string(), (line) => readProgress(line) === undefined));
  });
});
