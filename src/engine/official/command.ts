import { spawn } from "node:child_process";
import { delimiter, dirname } from "node:path";
import type { PulumiCommand } from "@pulumi/pulumi/automation/index.js";

/** A run of the CLI that did not end well: what it said, to be classified. */
export class CommandFailed extends Error {
  override readonly name = "CommandFailed";
  readonly exitCode: number | undefined;
  readonly stderr: string;

  constructor(exitCode: number | undefined, stderr: string) {
    super(stderr.trim() || `pulumi ended with ${exitCode ?? "a signal"}`);
    this.exitCode = exitCode;
    this.stderr = stderr;
  }
}

/** What the Automation API asks of a command (`PulumiCommand.run` of @pulumi/pulumi, which its types leave out). */
export type Run = (
  args: string[],
  cwd: string,
  env: Record<string, string>,
  onOutput?: (text: string) => void,
  onError?: (text: string) => void,
  signal?: AbortSignal,
) => Promise<{ stdout: string; stderr: string; code: number }>;

/**
 * The CLI as the Automation API calls it, but in a process group of its own. A terminal sends Ctrl-C to the whole foreground group;
 * the CLI would get it from there and once more from the caller's signal, and its second Ctrl-C means "stop at once, whatever is in
 * flight". This way it hears of an interruption exactly once.
 * @param path the executable; its folder is on PATH, so that what belongs to it is found
 */
export function inOwnProcessGroup(command: PulumiCommand, path: string): PulumiCommand {
  const run: Run = (args, cwd, env, onOutput, onError, signal) =>
    new Promise((resolve, reject) => {
      const PATH = [env.PATH ?? process.env.PATH ?? "", dirname(path)].filter(Boolean).join(delimiter);
      const child = spawn(path, args.includes("--non-interactive") ? args : [...args, "--non-interactive"], {
        cwd,
        env: { ...process.env, ...env, PATH, PULUMI_AUTOMATION_API: "true" },
        stdio: ["ignore", "pipe", "pipe"],
        detached: true,
      });
      let stdout = "";
      let stderr = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        stdout += text;
        onOutput?.(text);
      });
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        stderr += text;
        onError?.(text);
      });
      const interrupt = () => child.kill("SIGINT");
      signal?.addEventListener("abort", interrupt, { once: true });
      if (signal?.aborted) interrupt();
      child.once("error", (error) => reject(new CommandFailed(undefined, error.message)));
      child.once("close", (code) => {
        signal?.removeEventListener("abort", interrupt);
        if (code === 0) resolve({ stdout, stderr, code });
        else reject(new CommandFailed(code ?? undefined, stderr));
      });
    });
  return Object.assign(command, { run });
}

/** Lets what the Automation API asks of a command go another way. */
export function withRun(command: PulumiCommand, change: (run: Run) => Run): void {
  const asked = command as PulumiCommand & { run: Run };
  asked.run = change(asked.run.bind(command));
}
