import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const root = join(import.meta.dirname, "../..");

/** A JSON line of `slipway … --json`. */
export type Line = Record<string, unknown> & { type?: string; phase?: string; state?: string };

/** How a command ended. `result` is its last line: the final object. */
export interface Ended {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  lines: Line[];
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it with matchers
  result: any;
  stderr: string;
}

/** A Slipway of its own: run-time files, cloud and state in a temporary folder, so that tests can run beside each other. */
export class Slipway {
  readonly home: string;
  readonly env: Record<string, string>;

  private constructor(home: string) {
    this.home = home;
    this.env = { SLIPWAY_HOME: home };
  }

  static async create(): Promise<Slipway> {
    return new Slipway(await mkdtemp(join(tmpdir(), "slipway-e2e-")));
  }

  /** Runs `slipway ARGS --json`; `killWhen` ends it with SIGKILL at the first line that it says yes to. */
  run(args: string[], options: { env?: Record<string, string>; killWhen?: (line: Line) => boolean; timeoutMs?: number } = {}): Promise<Ended> {
    const { env = {}, killWhen, timeoutMs = 170_000 } = options;
    const child = spawn(process.execPath, [join(root, "src/cli/main.ts"), ...args, "--json"], {
      cwd: root,
      env: { ...process.env, ...this.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: timeoutMs,
    });
    const lines: Line[] = [];
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    createInterface({ input: child.stdout }).on("line", (text) => {
      const line = JSON.parse(text) as Line;
      lines.push(line);
      if (killWhen?.(line)) child.kill("SIGKILL");
    });
    return new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (exitCode, signal) => resolve({ exitCode, signal, lines, result: lines.at(-1), stderr }));
    });
  }

  /** Takes the cloud down and removes the folder; answers what the teardown could not remove. */
  async remove(): Promise<unknown> {
    const { result } = await this.run(["cloud", "destroy", "--yes"]);
    await rm(this.home, { recursive: true, force: true });
    return result?.leftovers ?? result;
  }
}
