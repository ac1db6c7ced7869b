import { spawn } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { JournalEntry } from "../../src/guest/journal.ts";
import { consoleOf, PaperProject } from "./paper-project.ts";

vi.setConfig({ testTimeout: 60_000 });

const at = "2026-01-02T03:04:05.000Z";
const failed: JournalEntry[] = [
  { type: "step", at, step: "queue", state: "start" },
  { type: "step", at, step: "queue", state: "end", code: 1, ms: 12, lines: ["no \x1b[31mredis\x07"] },
  { type: "verdict", at, sequence: 1, ok: false, failure: { step: "queue", reason: "it ends here", lines: [] }, ms: 9 },
];
const noise = "\x1b[2J\x1b]0;title\x07[ 0.1] kernel\rline\n";
/** What the pretended guest has written by now. */
let written = noise + consoleOf(failed);
let project: PaperProject;

beforeAll(async () => {
  project = await PaperProject.create(() => written);
  expect((await project.run(["up", "production"])).result.error).toMatchObject({ code: "E_BOOTSTRAP_FAILED" });
});
afterAll(() => project?.remove());

// biome-ignore lint/suspicious/noControlCharactersInRegex: a guest must not get them onto the terminal
const control = /[\x00-\x09\x0b-\x1f\x7f-\x9f]/;

describe("`logs`", () => {
  it("prints the journal, and with --console the log, without what could control a terminal", async () => {
    const { stdout } = await project.slipway.print(["logs"]);
    expect(stdout.split("\n")).toEqual([
      `${at} 7d2f9d1c step queue began`,
      `${at} 7d2f9d1c step queue failed with 1 (12 ms)`,
      "    no redis ",
      `${at} 7d2f9d1c the host failed: it ends here (9 ms)`,
      "",
    ]);
    const log = await project.slipway.print(["logs", "--console", "--lines", "99"]);
    expect(log.stdout).toContain("[ 0.1] kernel line\nslipway/1 ");
    expect(log.stdout).not.toMatch(control);
  });
});

describe("`logs --follow`", () => {
  it("goes on with what is written, an entry a line, until Ctrl-C: 130, and no failure", async () => {
    const entry: JournalEntry = { type: "step", at, step: "model", state: "start" };
    const { exitCode, result, lines, stderr } = await project.run(["logs", "-f"], {
      kill: {
        signal: "SIGINT",
        at: ({ seq }) => {
          if (seq === 3) written += consoleOf([...failed, entry]); // the whole log once more, and one line that is new
          return seq === 4;
        },
      },
    });
    expect(lines.slice(0, -1)).toMatchObject([
      ...failed.map((one, index) => ({ type: "journal", host: "server-g1", seq: index + 1, entry: one })),
      { type: "journal", seq: 4, entry },
    ]);
    expect(result).toMatchObject({ ok: true, stack: "production", host: "server-g1" });
    expect({ exitCode, stderr }).toEqual({ exitCode: 130, stderr: "" });
  });

  it("follows the console log too, from its last lines on", async () => {
    written += "before\n";
    const { exitCode, lines } = await project.run(["logs", "--follow", "--console", "--lines", "1"], {
      kill: {
        signal: "SIGTERM",
        at: ({ line }) => {
          if (line === "before") written += "after\nunfinished";
          return line === "after";
        },
      },
    });
    expect(lines.slice(0, -1)).toMatchObject([
      { type: "console", line: "before" },
      { type: "console", line: "after" },
    ]);
    expect(exitCode).toBe(130);
  });

  it("ends when nobody reads any more", async () => {
    const { projectRoot } = project.slipway;
    const main = `${projectRoot}/src/cli/main.ts`;
    const child = spawn(process.execPath, [main, "logs", "-f"], {
      cwd: projectRoot,
      env: { ...process.env, SLIPWAY_HOME: project.slipway.home },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stderr = "";
    child.stderr.on("data", (text) => {
      stderr += text;
    });
    child.stdout.once("data", () => {
      child.stdout.destroy();
      written += consoleOf(Array.from({ length: 9 }, () => failed[0] as JournalEntry));
    });
    const exitCode = await new Promise((resolve) => child.on("close", resolve));
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  });

  it("ends with the cloud's words when the server is gone", async () => {
    let seen = false;
    const following = project.run(["logs", "-f"], {
      kill: {
        at: () => {
          seen = true;
          return false;
        },
      },
    });
    await vi.waitFor(() => expect(seen).toBe(true), { timeout: 20_000 });
    expect((await project.run(["down", "production", "--yes"], { ahead: true })).result).toMatchObject({ ok: true });
    const { exitCode, result } = await following;
    expect(result.error).toMatchObject({ code: "E_CLOUD_API", message: expect.stringContaining("could not be found") });
    expect(exitCode).toBe(4);
  });
});
