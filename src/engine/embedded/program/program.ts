import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { compileCache } from "../../../common/compile-cache.mjs";
import { endingWithParent } from "../../../common/ending-with-parent.ts";
import { SlipwayError } from "../../../common/errors.ts";
import type { Configuration } from "../project/configuration.ts";
import type { Project } from "../project/project.ts";
import { organization } from "../state/backend.ts";

/** The SDK has told the user already what went wrong. */
const alreadyReported = 32;
/** How long a program that was asked to end may take. */
const graceMs = 5000;
/** How long what a program left behind may still write after its end: a process that it started can hold its output for ever. */
const lastWordsMs = 1000;

/** What a program is started with. */
export interface ProgramStart {
  project: Project;
  stack: string;
  configuration: Configuration;
  /** Address of ResourceMonitor and Engine. */
  monitor: string;
  preview: boolean;
  parallel: number;
  nodePath: string;
  env: Record<string, string>;
  /** Called with each line that the program prints, and whether it went to standard error. */
  onOutput: (line: string, isError: boolean) => void;
}

/** How a program ended. */
export interface ProgramEnd {
  succeeded: boolean;
  /** Ended by Ctrl-C, which reaches the whole process group. */
  interrupted: boolean;
  /** The program has told itself why it failed. */
  reported?: boolean;
  /** What to say of the end, where the program has not said it. */
  reason: string | undefined;
}

/** A running program. */
export interface Program {
  ended: Promise<ProgramEnd>;
  /** Asks the program to end, and makes it after 5 s. */
  stop(): void;
}

/** Starts a program that talks to {@link ProgramStart.monitor}. */
export type ProgramLauncher = (start: ProgramStart) => Promise<Program>;

/** Starts a program as Pulumi's language host for Node does (pulumi/pulumi, pulumi-language-nodejs, execRuntime). */
export async function startProgram(start: ProgramStart): Promise<Program> {
  const command = [start.nodePath, ...argumentsOf(start, runnerOf(start.project.programDirectory))];
  const [executable = "", ...args] = await endingWithParent(command);
  const child = spawn(executable, args, {
    cwd: start.project.programDirectory,
    env: { ...environmentOf(start), NODE_COMPILE_CACHE: compileCache() },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lastLines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      if (lastLines.push(line) > 20) lastLines.shift();
      start.onOutput(line, stream === child.stderr);
    });
  }
  child.once("exit", () => {
    const closing = setTimeout(() => [child.stdout, child.stderr].map((stream) => stream.destroy()), lastWordsMs);
    child.once("close", () => clearTimeout(closing));
  });
  return { ended: endOf(child, lastLines), stop: () => stop(child) };
}

function endOf(child: ChildProcess, lastLines: string[]): Promise<ProgramEnd> {
  return new Promise((resolve) => {
    child.once("error", (error) =>
      resolve({
        succeeded: false,
        interrupted: false,
        reported: false,
        reason: `the program cannot be started: ${error.message}`,
      }),
    );
    child.once("close", (code, signal) => {
      if (code === 0) return resolve({ succeeded: true, interrupted: false, reason: undefined });
      const tail = lastLines.join("\n");
      const how = signal ? `was ended by ${signal}` : `exited with code ${code}`;
      const reported = code === alreadyReported;
      const reason = reported ? tail || undefined : `the program ${how}${tail === "" ? "" : `\n${tail}`}`;
      resolve({ succeeded: false, interrupted: signal === "SIGINT", reported, reason });
    });
  });
}

function stop(child: ChildProcess): void {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGINT");
  const end = setTimeout(() => child.kill("SIGKILL"), graceMs);
  child.once("close", () => clearTimeout(end));
}

/** The SDK's own runner, out of the program's packages: another copy would not share its state with the program. */
function runnerOf(programDirectory: string): string {
  try {
    return createRequire(join(programDirectory, "index.js")).resolve("@pulumi/pulumi/cmd/run");
  } catch (cause) {
    throw new SlipwayError(
      "E_PROGRAM_FAILED",
      `@pulumi/pulumi is not installed for the program in ${programDirectory}`,
      {
        cause,
        hint: "Run `npm install --no-save`.",
      },
    );
  }
}

/**
 * Mebibytes of V8's young generation. As large as V8 would make it, it grows by 80 while the SDK loads, and is then never filled again.
 * What the project says for itself stands behind this and wins.
 */
const youngGeneration = "--max-semi-space-size=8";

/** The command line of Node with `cmd/run`. */
export function argumentsOf(start: ProgramStart, runner: string): string[] {
  const { project, stack, monitor, preview, parallel } = start;
  return [
    youngGeneration,
    ...project.options.nodeArguments,
    runner,
    ...["--monitor", monitor],
    ...["--engine", monitor],
    ...["--organization", organization],
    ...["--project", project.name],
    ...["--stack", stack],
    ...["--root-directory", project.root],
    ...["--pwd", project.programDirectory],
    ...(preview ? ["--dry-run"] : []),
    ...["--parallel", String(parallel)],
    project.entry,
  ];
}

/** The program's environment; the passphrase stays with the engine. */
export function environmentOf({ project, configuration, env }: ProgramStart): NodeJS.ProcessEnv {
  const { PULUMI_CONFIG_PASSPHRASE: _, PULUMI_CONFIG_PASSPHRASE_FILE: __, ...inherited } = process.env;
  return {
    ...inherited,
    ...env,
    PULUMI_CONFIG: JSON.stringify(configuration.values),
    PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(configuration.secretKeys),
    ...(project.options.typescript ? { PULUMI_NODEJS_TYPESCRIPT: "true" } : {}),
    ...(project.options.tsconfig === undefined ? {} : { PULUMI_NODEJS_TSCONFIG_PATH: project.options.tsconfig }),
  };
}
