import { type ChildProcess, spawn } from "node:child_process";
import { createInterface, type Interface } from "node:readline";
import { notStarted, type PluginCommand } from "./find-plugin.ts";
import type { OrphanGuard } from "./orphan-guard.ts";

/** How long a plugin may take to say where it listens: large ones unpack their schema first, on a busy machine. */
const startMs = 60_000;
/** How long a plugin that was asked to end may take. */
const graceMs = 2000;
/** Lines that are kept for a message. */
const keptLines = 20;

/** What a plugin is started with. */
export interface PluginStart {
  command: PluginCommand;
  /** Address of the Engine service. */
  engine: string;
  cwd: string;
  env: NodeJS.ProcessEnv;
  guard: OrphanGuard;
  /** Called with each line that it prints after its port. */
  onOutput: (line: string) => void;
}

/** A running plugin: one process, and what it started. */
export interface PluginProcess {
  label: string;
  /** `127.0.0.1:<port>` */
  address: string;
  /** Resolves with how it ended, e.g. `exited with code 2`. */
  ended: Promise<string>;
  /** The last lines that it printed. */
  lastWords(): string[];
  /** Ends it and what it started. */
  stop(): Promise<void>;
}

/**
 * Starts a plugin as Pulumi's engine does (pulumi/pulumi, sdk/go/common/resource/plugin/plugin.go): with the engine's address as its
 * argument; it answers with its port on the first line.
 * @throws SlipwayError E_PLUGIN with what it printed, where it ends or says nothing in time
 */
export async function startPlugin(start: PluginStart): Promise<PluginProcess> {
  const { command, engine, cwd, env, guard, onOutput } = start;
  // A group of its own: Ctrl-C is the engine's to pass on, and whatever the plugin starts ends with it.
  const child = spawn(command.program, [...command.arguments, engine], {
    cwd,
    env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (child.pid !== undefined) guard.watch(child.pid);
  const words: string[] = [];
  const keep = (line: string) => {
    if (words.push(line) > keptLines) words.shift();
  };
  createInterface({ input: child.stderr }).on("line", (line) => {
    keep(line);
    onOutput(line);
  });
  const ended = endOf(child);
  try {
    const stdout = createInterface({ input: child.stdout });
    const port = await firstLine(stdout, ended);
    if (!/^\d{1,5}$/.test(port))
      throw new Error(`it said ${JSON.stringify(port.slice(0, 200))} where its port belongs`);
    stdout.on("line", (line) => {
      keep(line);
      onOutput(line);
    });
    return {
      label: command.label,
      address: `127.0.0.1:${port}`,
      ended,
      lastWords: () => [...words],
      stop: () => stop(child, ended),
    };
  } catch (error) {
    await stop(child, ended);
    throw notStarted(command.label, command.program, error, words);
  }
}

function firstLine(stdout: Interface, ended: Promise<string>): Promise<string> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`it printed no port within ${startMs / 1000} seconds`)), startMs);
    const settle = (action: () => void) => {
      clearTimeout(late);
      action();
    };
    stdout.once("line", (line) => settle(() => resolve(line.trim())));
    void ended.then((how) => settle(() => reject(new Error(`it ${how}`))));
  });
}

/** `close`, not `exit`: then everything that it printed is read. */
function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(`cannot be run: ${error.message}`));
    child.once("exit", (code, signal) => {
      const how = signal ? `was ended by ${signal}` : `exited with code ${code}`;
      child.once("close", () => resolve(how));
      // what it started may hold its output for ever
      setTimeout(() => resolve(how), 500).unref();
    });
  });
}

async function stop(child: ChildProcess, ended: Promise<string>): Promise<void> {
  if (child.pid === undefined) return;
  endGroup(child.pid, "SIGTERM");
  const late = setTimeout(() => endGroup(child.pid, "SIGKILL"), graceMs);
  await ended;
  clearTimeout(late);
  endGroup(child.pid, "SIGKILL"); // what it started
  for (const stream of [child.stdout, child.stderr]) stream?.destroy();
}

function endGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // the whole group is gone
  }
}
