import { type ChildProcess, spawn } from "node:child_process";
import { messageOf } from "../../../common/errors.ts";
import { LineReader } from "./lines.ts";

/** A command to run, and for how long it may. */
export interface GuardedCommand {
  /** The program and its arguments; no shell reads them. */
  command: readonly string[];
  cwd: string;
  /** All that it sees of an environment. */
  env: Record<string, string>;
  timeoutMs: number;
  signal: AbortSignal | undefined;
  onLine: (line: string, source: "stdout" | "stderr") => void;
}

/** How a command ended. */
export type Ending =
  | { kind: "exit"; code: number }
  | { kind: "signal"; signal: NodeJS.Signals }
  | { kind: "not started"; reason: string }
  | { kind: "timeout" }
  | { kind: "aborted" };

/** Between SIGTERM, at which a trainer may tidy up, and SIGKILL. */
const GRACE_MS = 2000;
/** How long what a command left behind may hold its output after it has ended. */
const STREAM_GRACE_MS = 500;

/**
 * Ends the process group that it is told first when its input ends without the word `done`: that is when this process dies, however it does.
 * The kernel's parent death signal reaches the command alone and not what it started.
 */
const guardScript = `read -r group || exit 0; read -r word; [ "$word" = done ] || kill -s KILL -- "-$group" 2>/dev/null`;

/**
 * Runs a command in a process group of its own and waits for its end. Nothing of the group is left then: not after an exit, not after
 * the time limit or an abort (SIGTERM, then SIGKILL), and not when this process is killed.
 */
export async function runGuarded({ command, cwd, env, timeoutMs, signal, onLine }: GuardedCommand): Promise<Ending> {
  const [program, ...rest] = command as [string, ...string[]];
  if (signal?.aborted) return { kind: "aborted" };
  // before the command: it takes a moment to start, in which this process may be killed
  const guard = startGuard();
  let child: ChildProcess;
  try {
    child = spawn(program, rest, { cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    guard.stdin?.end();
    return { kind: "not started", reason: messageOf(error) }; // e.g. a null byte in an argument
  }
  const { pid } = child;
  if (pid !== undefined) guard.stdin?.write(`${pid}\n`);
  for (const source of ["stdout", "stderr"] as const) {
    const reader = new LineReader((line) => onLine(line, source));
    child[source]?.on("data", (bytes: Buffer) => reader.push(bytes)).on("end", () => reader.end());
  }
  let cause: "timeout" | "aborted" | undefined;
  let kill: NodeJS.Timeout | undefined;
  const stop = (why: typeof cause) => {
    cause ??= why;
    endGroup(pid, "SIGTERM");
    kill ??= setTimeout(() => endGroup(pid, "SIGKILL"), GRACE_MS);
  };
  const late = setTimeout(() => stop("timeout"), timeoutMs);
  const onAbort = () => stop("aborted");
  signal?.addEventListener("abort", onAbort);
  try {
    const ending = await endOf(child);
    return cause ? { kind: cause } : ending;
  } finally {
    clearTimeout(late);
    clearTimeout(kill);
    signal?.removeEventListener("abort", onAbort);
    endGroup(pid, "SIGKILL"); // what it left behind
    guard.stdin?.end(pid === undefined ? "" : "done\n");
  }
}

function startGuard(): ChildProcess {
  const guard = spawn("/bin/sh", ["-c", guardScript, "guard"], {
    detached: true, // Ctrl-C on a terminal must not end it before its time
    env: {},
    stdio: ["pipe", "ignore", "ignore"],
  });
  guard.on("error", () => undefined); // no shell: the group is ended in all other cases
  guard.stdin?.on("error", () => undefined);
  return guard;
}

/** Resolves when the command has ended and its output is read. */
function endOf(child: ChildProcess): Promise<Ending> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve({ kind: "not started", reason: error.message }));
    child.once("exit", (code, signal) => {
      const ending: Ending = signal ? { kind: "signal", signal } : { kind: "exit", code: code ?? 0 };
      const enough = setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
        resolve(ending);
      }, STREAM_GRACE_MS);
      child.once("close", () => {
        clearTimeout(enough);
        resolve(ending);
      });
    });
  });
}

function endGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // the whole group is gone
  }
}
