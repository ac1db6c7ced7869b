import { Worker } from "node:worker_threads";
import { messageOf } from "../../../common/errors.ts";
import type { CallMessage, ThreadData, ThreadMessage } from "./contract.ts";

/** What a thread is started with. */
export interface ThreadOptions extends Omit<ThreadData, "begun"> {
  /** Of its heap. */
  memoryMiB: number;
  /** What the function prints, line by line. */
  onLine: (line: string) => void;
}

/** What a thread tells of itself. */
export interface ThreadEvents {
  onAnswer: (answer: Extract<ThreadMessage, { id: number }>) => void;
  /** Called once when it ended by itself, and why. */
  onEnd: (reason: string) => void;
}

/** A module that takes longer to load is stopped. */
const LOAD_MS = 30_000;
const MIB = 1024 * 1024;
/** While a module loads it may hold what it reads beside what it makes of that. */
const LOADING_SHARE = 2;
const LOOK_MS = 50;
const LONGEST_LINE = 1000;
const LONGEST_TEXT = 64 * 1024;

/**
 * The file that runs as the thread: the source, or on a host the bundle beside the runtime's. A bundle's folder names its files as the
 * entry points are named there, with or without `main-`.
 */
function threadFile(): URL {
  const here = import.meta.url;
  if (here.endsWith(".ts")) return new URL("../../main-function.ts", here);
  return new URL(/\/main-[a-z-]+\.mjs$/.test(here) ? "./main-function.mjs" : "./function.mjs", here);
}

/** A thread that runs a function model's module. It sees no environment variables: they are not the function's. */
export class FunctionThread {
  /** What the module says of itself, as JSON. Rejects with Error for one that cannot be used. */
  readonly ready: Promise<string>;
  readonly #worker: Worker;
  readonly #begun = new Int32Array(new SharedArrayBuffer(4));
  #posted = 0;
  #ended = false;

  constructor({ memoryMiB, onLine, ...data }: ThreadOptions, events: ThreadEvents) {
    const worker = new Worker(threadFile(), {
      workerData: { ...data, begun: this.#begun.buffer } satisfies ThreadData,
      env: {},
      execArgv: [],
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: memoryMiB, maxYoungGenerationSizeMb: Math.min(64, memoryMiB) },
    });
    this.#worker = worker;
    for (const stream of [worker.stdout, worker.stderr]) forwardLines(stream, onLine);
    this.ready = new Promise((resolve, reject) => {
      const stop = (reason: string) => {
        fail(reason);
        void this.end();
      };
      const late = setTimeout(() => stop(`it takes longer than ${LOAD_MS} ms to load`), LOAD_MS);
      // the thread's own limit is that of its heap: what a module takes beside it, it would take from everything else on the host
      const mostBytes = LOADING_SHARE * memoryMiB * MIB;
      const look = async () => {
        const { external_memory: bytes } = await worker.getHeapStatistics();
        if (bytes > mostBytes) stop(`it takes more than ${mostBytes / MIB} MiB beside its heap to load`);
      };
      const looks = setInterval(() => look().catch(() => undefined), LOOK_MS); // it fails where the thread does not run
      const endLoading = () => {
        clearTimeout(late);
        clearInterval(looks);
      };
      const fail = (reason: string) => {
        endLoading();
        reject(new Error(reason)); // of no effect once it was ready
        if (this.#ended) return;
        this.#ended = true;
        events.onEnd(reason);
      };
      worker.on("message", (message: ThreadMessage) => {
        if (message.kind === "ready") {
          endLoading();
          resolve(message.description);
        } else if (message.kind === "unusable") fail(message.reason);
        else events.onAnswer(message);
      });
      worker.on("error", (error) => fail(reasonOf(error, memoryMiB)));
      worker.on("exit", (code) => fail(`it ended its thread with ${code}`));
    });
    this.ready.catch(() => undefined); // whoever waits for it is told
  }

  /** @returns the call's place in the order of calls */
  post(message: CallMessage): number {
    this.#worker.postMessage(message);
    return this.#posted++;
  }

  /** Whether the function was called for the call of this place. */
  hasBegun(place: number): boolean {
    return place < Atomics.load(this.#begun, 0);
  }

  /** Stops it, whatever it does. Its end is not told. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.#worker.terminate();
  }
}

function reasonOf(error: unknown, memoryMiB: number): string {
  const { code } = error as { code?: unknown };
  return code === "ERR_WORKER_OUT_OF_MEMORY" ? `it used more than ${memoryMiB} MiB` : messageOf(error);
}

function forwardLines(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).slice(0, LONGEST_TEXT).split("\n");
    rest = (lines.pop() ?? "").slice(0, LONGEST_LINE);
    for (const line of lines) if (line !== "") onLine(line.slice(0, LONGEST_LINE));
  });
}
