import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { ensurePythonEnvironment } from "./python-environment.ts";

/** The versions that are tested with. */
const requirement = "python-openstackclient==10.5.0";
const balancerPlugin = "python-octaviaclient==3.15.0";

/**
 * Calls the client's own entry point for each line of arguments: unmodified, and without paying for its imports at each command. One
 * JSON array in, one JSON object out. Commands are given a terminal where nobody types: some read what is piped to them.
 */
const driver = `
import contextlib, io, json, logging, sys
from openstackclient import shell
answers = sys.stdout
commands = sys.stdin
class Terminal(io.StringIO):
    def isatty(self):
        return True
sys.stdin = Terminal()
for line in commands:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = shell.main(json.loads(line))
        except SystemExit as end:
            status = end.code
    logging.getLogger().handlers.clear()
    print(json.dumps({"status": int(status or 0), "stdout": out.getvalue(), "stderr": err.getvalue()}), file=answers, flush=True)
`;

/** What a command ended with. */
export interface Outcome {
  status: number;
  stdout: string;
  stderr: string;
}

/** Python's own OpenStack client, or why there is none. */
export async function ensureOpenstackClient(): Promise<{ python: string; version: string } | { reason: string }> {
  const environment = await ensurePythonEnvironment(requirement, [requirement]);
  return "reason" in environment ? environment : { ...environment, version: requirement };
}

/** The same with its plugin for Octavia. */
export async function ensureBalancerClient(): Promise<{ python: string; version: string } | { reason: string }> {
  const version = `${requirement} ${balancerPlugin}`;
  const environment = await ensurePythonEnvironment(version.replace(" ", "-"), [requirement, balancerPlugin]);
  return "reason" in environment ? environment : { ...environment, version };
}

/** A running client with its credentials in the environment, as `openstack` has them. */
export class OpenstackClient {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor(python: string, env: Record<string, string>) {
    const { PATH = "", HOME = "" } = process.env;
    this.#child = spawn(python, ["-c", driver], { stdio: ["pipe", "pipe", "inherit"], env: { PATH, HOME, ...env } });
    if (this.#child.stdout === null) throw new Error("no output");
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Runs `openstack ARGUMENTS…`. One at a time. */
  async run(...commandLine: string[]): Promise<Outcome> {
    this.#child.stdin?.write(`${JSON.stringify(commandLine)}\n`);
    const answer = await this.#answers.next();
    if (answer.done === true) throw new Error(`the client ended at: openstack ${commandLine.join(" ")}`);
    return JSON.parse(answer.value) as Outcome;
  }

  /** The same, which must succeed; its output read as JSON where the command has any. */
  // biome-ignore lint/suspicious/noExplicitAny: tables of many shapes, looked into with matchers
  async json(...commandLine: string[]): Promise<any> {
    const { stdout } = await this.ok(...commandLine, "-f", "json");
    return stdout.trim() === "" ? undefined : JSON.parse(stdout);
  }

  /** The same, which must succeed. */
  async ok(...commandLine: string[]): Promise<Outcome> {
    const outcome = await this.run(...commandLine);
    if (outcome.status === 0) return outcome;
    throw new Error(`openstack ${commandLine.join(" ")}: ${outcome.stderr || outcome.stdout}`);
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.stdin?.end();
    await ended;
  }
}
