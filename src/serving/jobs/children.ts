import { type ChildProcess, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { endingWithParent } from "../../common/ending-with-parent.ts";
import type { ChildTask, FromChild, ToChild } from "./child-messages.ts";
import type { JobProgress } from "./records.ts";

/** How jobs' processes are started, and when they are ended. */
export interface ChildOptions {
  /** The module that they run. */
  entry: string;
  /** Options of Node before it. */
  nodeOptions?: string[];
  env?: NodeJS.ProcessEnv;
  /** Memory for JavaScript, in MiB; a process that needs more ends. */
  heapMiB: number;
  /** A process is ended after so many jobs. */
  maxJobs?: number;
  /** A process that has grown beyond this many bytes after a job is ended. */
  maxRssBytes?: number;
  /** One that had nothing to do for so long is ended. */
  idleMs?: number;
  /** After a job was told to stop, until its process is killed. */
  graceMs?: number;
}

/** What a job tells while it runs. */
export interface ChildListeners {
  onProgress?: (progress: JobProgress) => void;
  onLog?: (lines: string[]) => void;
}

/** The job's own failure. `final`: no further attempt can succeed. */
export class JobFailure extends Error {
  override readonly name = "JobFailure";
  readonly final: boolean;

  constructor(message: string, final: boolean) {
    super(message);
    this.final = final;
  }
}

/** The process ended under the job: it ran out of memory, crashed, or was killed. */
export class ChildCrash extends Error {
  override readonly name = "ChildCrash";
}

interface Child {
  process: ChildProcess;
  jobs: number;
  idle?: NodeJS.Timeout;
}

/** A guest under software emulation starts Node in a minute. */
const START_MS = 120_000;

/**
 * Processes that jobs run in, one job at a time in each: a job that blocks, takes all memory or crashes meets itself alone, and the
 * worker beside it keeps the job's lock. They are started when they are needed, used again, and end with the worker, however it ends.
 */
export class JobChildren {
  readonly #options: Required<Omit<ChildOptions, "env">> & { env: NodeJS.ProcessEnv };
  readonly #free: Child[] = [];
  readonly #all = new Set<Child>();
  #closed = false;

  constructor(options: ChildOptions) {
    this.#options = {
      nodeOptions: [],
      env: process.env,
      maxJobs: 100,
      maxRssBytes: 1024 ** 3,
      idleMs: 60_000,
      graceMs: 3000,
      ...options,
    };
  }

  /** Processes that are there, busy or not. */
  get pids(): number[] {
    return [...this.#all].map(({ process }) => process.pid as number);
  }

  /**
   * Does the work in a process of its own and answers what it answers. An aborted signal tells it to stop; a process that does not is
   * killed after a grace.
   * @throws JobFailure, ChildCrash; the signal's reason when it was aborted
   */
  async run(task: ChildTask, signal: AbortSignal, listeners: ChildListeners = {}): Promise<unknown> {
    signal.throwIfAborted();
    const child = this.#free.pop() ?? (await this.#start());
    clearTimeout(child.idle);
    child.jobs++;
    try {
      const outcome = await this.#work(child, task, signal, listeners);
      this.#release(child);
      return outcome;
    } catch (error) {
      // what ended well enough to say why is as good as before
      if (error instanceof JobFailure && !signal.aborted) this.#release(child);
      else await this.#end(child);
      throw signal.aborted ? signal.reason : error;
    }
  }

  /** Ends all processes; jobs in them fail. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#all].map((child) => this.#end(child)));
  }

  #work(child: Child, task: ChildTask, signal: AbortSignal, { onProgress, onLog }: ChildListeners): Promise<unknown> {
    const { process: child_ } = child;
    return new Promise<unknown>((resolve, reject) => {
      let grace: NodeJS.Timeout | undefined;
      const stop = () => {
        tell(child_, { cancel: String((signal.reason as Error | undefined)?.message ?? "stopped") });
        grace = setTimeout(() => child_.kill("SIGKILL"), this.#options.graceMs);
      };
      const settle = (end: () => void) => {
        clearTimeout(grace);
        signal.removeEventListener("abort", stop);
        child_.removeAllListeners("message");
        child_.off("exit", ended);
        end();
      };
      const ended = (code: number | null, killed: NodeJS.Signals | null) =>
        settle(() => reject(new ChildCrash(`the job's process ended ${killed ? `by ${killed}` : `with ${code}`}`)));
      child_.on("message", (message: FromChild) => {
        if ("progress" in message) onProgress?.(message.progress);
        else if ("log" in message) onLog?.(message.log);
        else if ("done" in message) settle(() => resolve(message.done));
        else if ("failed" in message)
          settle(() => reject(new JobFailure(message.failed.message, message.failed.final)));
      });
      child_.on("exit", ended);
      signal.addEventListener("abort", stop, { once: true });
      if (child_.exitCode !== null || child_.signalCode !== null) ended(child_.exitCode, child_.signalCode);
      else tell(child_, { run: task });
      if (signal.aborted) stop();
    });
  }

  async #start(): Promise<Child> {
    if (this.#closed) throw new Error("no job begins any more");
    const { entry, nodeOptions, heapMiB, env } = this.#options;
    const line = [process.execPath, `--max-old-space-size=${heapMiB}`, ...nodeOptions, entry];
    const [command = "", ...args] = await endingWithParent(line);
    const child: Child = {
      process: spawn(command, args, { env, stdio: ["ignore", "inherit", "inherit", "ipc"] }),
      jobs: 0,
    };
    this.#all.add(child);
    child.process.on("error", () => undefined); // its end tells
    child.process.once("exit", () => this.#forget(child));
    await new Promise<void>((resolve, reject) => {
      const failed = (what: string) => {
        clearTimeout(timer);
        child.process.kill("SIGKILL");
        reject(new ChildCrash(`a job's process ${what}`));
      };
      const timer = setTimeout(() => failed("does not start"), START_MS);
      child.process.once("exit", () => failed("ended before its job"));
      child.process.once("error", (error) => failed(error.message));
      child.process.once("message", () => {
        clearTimeout(timer);
        child.process.removeAllListeners("exit").once("exit", () => this.#forget(child));
        resolve();
      });
    });
    return child;
  }

  #release(child: Child): void {
    const { maxJobs, maxRssBytes, idleMs } = this.#options;
    if (this.#closed || child.jobs >= maxJobs || !this.#all.has(child)) {
      void this.#end(child);
      return;
    }
    this.#free.push(child);
    child.idle = setTimeout(() => void this.#end(child), idleMs);
    child.idle.unref();
    void residentBytes(child.process.pid as number).then((bytes) => {
      // only while nothing runs in it
      if (bytes > maxRssBytes && this.#free.includes(child)) return this.#end(child);
      return undefined;
    });
  }

  #forget(child: Child): void {
    clearTimeout(child.idle);
    this.#all.delete(child);
    const at = this.#free.indexOf(child);
    if (at !== -1) this.#free.splice(at, 1);
  }

  async #end(child: Child): Promise<void> {
    this.#forget(child);
    if (child.process.exitCode !== null || child.process.signalCode !== null) return;
    const ended = new Promise((resolve) => child.process.once("exit", resolve));
    child.process.kill("SIGKILL"); // it has nothing that must be put in order: what it leaves is whole or not there
    await ended;
  }
}

function tell(child: ChildProcess, message: ToChild): void {
  // a process that is gone has told so by its end
  if (child.connected) child.send(message, () => undefined);
}

/** Memory that a process has in use; 0 where the system does not tell. */
async function residentBytes(pid: number): Promise<number> {
  try {
    const status = await readFile(`/proc/${pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0; // it has ended, or another system
  }
}
