import { spawn } from "node:child_process";

/** How to run a command. */
export interface RunOptions {
  /** Written to the command's standard input. */
  input?: string | Uint8Array;
  /** Ends the command with SIGKILL after this many milliseconds; 60 000 unless told otherwise. */
  timeoutMs?: number;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
}

/** How long the streams of a command that has ended may stay open: a child that it left behind may hold them for ever. */
const STREAM_GRACE_MS = 1000;

/** A command that could not be started, exited with a status other than 0, or ran past its time. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;

  constructor(command: string, args: string[], reason: string, exitCode: number | null, stdout = "", stderr = "") {
    super(`${[command, ...args].join(" ")}: ${reason}${stderr.trim() === "" ? "" : `\n${stderr.trim()}`}`);
    this.exitCode = exitCode;
    this.stdout = stdout;
    this.stderr = stderr;
  }
}

/** Runs a command to its end and returns what it printed. Throws {@link CommandError}. */
export function run(
  command: string,
  args: string[],
  options: RunOptions = {},
): Promise<{ stdout: string; stderr: string }> {
  const { input, timeoutMs = 60_000, env, cwd } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ["pipe", "pipe", "pipe"],
      timeout: timeoutMs,
      killSignal: "SIGKILL",
      env,
      cwd,
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
    child.stdin.on("error", () => undefined); // the command may end without reading its input; its status tells
    child.on("error", (error) => reject(new CommandError(command, args, error.message, null)));
    child.on("exit", () => {
      const grace = setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, STREAM_GRACE_MS);
      child.on("close", () => clearTimeout(grace));
    });
    child.on("close", (status, signal) => {
      const stdout = Buffer.concat(out).toString("utf8");
      const stderr = Buffer.concat(err).toString("utf8");
      if (status === 0) resolve({ stdout, stderr });
      else
        reject(
          new CommandError(command, args, reason(status, signal, child.killed, timeoutMs), status, stdout, stderr),
        );
    });
    child.stdin.end(input);
  });
}

function reason(status: number | null, signal: NodeJS.Signals | null, timedOut: boolean, timeoutMs: number): string {
  if (timedOut) return `ran past its ${timeoutMs / 1000} s`;
  return signal ? `ended by ${signal}` : `exit status ${status}`;
}
