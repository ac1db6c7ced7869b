import { spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { markOf, type ProcessMark } from "../../src/cloud/hypervisors/nspawn/processes.ts";

const root = join(import.meta.dirname, "../..");

/** A JSON line of `slipway … --json`. */
type Line = Record<string, unknown> & { type?: string; phase?: string; state?: string; text?: string };

/** How a command ended. `result` is its last line: the final object. */
export interface Ended {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  lines: Line[];
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it with matchers
  result: any;
  stderr: string;
}

/** What a command printed. */
interface Printed {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

/** How a command is started: `under` one that runs others (setpriv, unshare), if given. */
interface Start {
  env?: Record<string, string>;
  timeoutMs?: number;
  under?: string[];
}

/** What ends a command early: a signal, after the first line that `at` says yes to and what is awaited then. */
export interface Kill {
  at: (line: Line) => boolean;
  afterMs?: number;
  /** In place of a time: what must have happened. */
  after?: () => Promise<unknown>;
  /** SIGKILL unless told otherwise. */
  signal?: NodeJS.Signals;
}

/** Project folders are named by the process that makes them: so the leavings of a killed one can be told. */
async function projectPrefix(): Promise<string> {
  const maker = await markOf(process.pid);
  return `slipway-e2e-${maker?.pid}-${maker?.startTime}-`;
}

/** The process that made a project folder of this name; undefined for another folder. */
export function makerOf(name: string): ProcessMark | undefined {
  const [, pid, startTime] = /^slipway-e2e-(\d+)-(\d+)-/.exec(name) ?? [];
  return pid === undefined || startTime === undefined ? undefined : { pid: Number(pid), startTime };
}

const copied = [
  "Pulumi.yaml",
  "package.json",
  "package-lock.json",
  ".npmrc",
  "stacks",
  "models",
  "cloud-init",
  "bin",
  "scripts",
];

/**
 * A project of its own in a temporary folder — programs, templates and models copied, code linked — with run-time files, cloud and
 * state below it: tests change what they like and run beside each other.
 */
export class Slipway {
  readonly projectRoot: string;
  readonly home: string;

  private constructor(projectRoot: string) {
    this.projectRoot = projectRoot;
    this.home = join(projectRoot, ".slipway");
  }

  static async create(): Promise<Slipway> {
    const folder = await mkdtemp(join(tmpdir(), await projectPrefix()));
    for (const name of copied) {
      await cp(join(root, name), join(folder, name), { recursive: true });
    }
    for (const name of ["src", "node_modules"]) await symlink(join(root, name), join(folder, name));
    await mkdir(join(folder, ".slipway"), { mode: 0o700 });
    return new Slipway(folder);
  }

  /** Runs `slipway ARGS --json` in the project's folder. */
  run(args: string[], options: Start & { kill?: Kill; onLine?: (line: Line) => void } = {}): Promise<Ended> {
    const { kill, onLine } = options;
    const child = this.#start([...args, "--json"], options);
    const lines: Line[] = [];
    const stderr = textOf(child.stderr);
    return new Promise((resolve, reject) => {
      createInterface({ input: child.stdout }).on("line", (text) => {
        const line = JSON.parse(text) as Line;
        lines.push(line);
        onLine?.(line);
        if (!kill?.at(line)) return;
        const awaited = kill.after?.() ?? sleep(kill.afterMs ?? 0);
        awaited.finally(() => child.kill(kill.signal ?? "SIGKILL")).catch(reject);
      });
      child.on("error", reject);
      child.on("close", (exitCode, signal) =>
        resolve({ exitCode, signal, lines, result: lines.at(-1), stderr: stderr() }),
      );
    });
  }

  /** Runs `slipway ARGS` for what it prints where nobody asked for JSON. */
  print(args: string[], options: Start = {}): Promise<Printed> {
    const child = this.#start(args, options);
    const [stdout, stderr] = [textOf(child.stdout), textOf(child.stderr)];
    return new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (exitCode) => resolve({ exitCode, stdout: stdout(), stderr: stderr() }));
    });
  }

  #start(args: string[], { env = {}, timeoutMs = 170_000, under = [] }: Start) {
    const words = [...under, process.execPath, join(root, "src/cli/main.ts"), ...args] as [string];
    return spawn(words[0], words.slice(1), {
      cwd: this.projectRoot,
      // what a machine has installed must not decide what is tested
      env: { ...ownEnvironment(), SLIPWAY_ENGINE: "embedded", ...env },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: timeoutMs,
    });
  }

  /** Takes the cloud down and removes the folder; answers what the teardown left on the machine. */
  async remove(): Promise<string[]> {
    const { result } = await this.run(["cloud", "destroy", "--yes"]);
    await this.removeFolder();
    return result?.ok === true ? [] : [JSON.stringify(result)];
  }

  /** Removes the folder of a project that has no cloud of its own running. */
  async removeFolder(): Promise<void> {
    await rm(this.projectRoot, { recursive: true, force: true });
  }
}

/** Collects what a stream says; the answer is called at its end. */
function textOf(stream: Readable): () => string {
  let text = "";
  stream.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  return () => text;
}

/** What the shell exports for Slipway's and other OpenStack clients stays outside: a test says itself where it works. */
function ownEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(OS_|PULUMI_|SLIPWAY_HOME$)/.test(name)));
}
