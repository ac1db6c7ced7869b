import { RejectedInputError } from "../../runtime/rejected-input.ts";
import { FunctionThread, type ThreadOptions } from "./thread-host.ts";

/** How a function is called. */
export interface CallerOptions extends ThreadOptions {
  /** A question that takes longer has the thread stopped and replaced. */
  timeoutMs: number;
}

interface Question {
  calls: string[];
  resolve: (results: string[]) => void;
  reject: (error: Error) => void;
  /** In the order of the thread's calls. */
  place: number;
  timer: NodeJS.Timeout | undefined;
}

const MIB = 1024 * 1024;

/**
 * Calls a function in a thread that is replaced when a question takes too long, takes too much memory, or ends it. Questions that had
 * not begun are asked of the next thread; those that had fail, since what they did is not known.
 */
export class FunctionCaller {
  readonly #options: CallerOptions;
  readonly #asked = new Map<number, Question>();
  #waiting: Question[] = [];
  #thread: FunctionThread;
  #isReady = false;
  /** Takes no more questions, and is replaced when it has answered. */
  #retires = false;
  /** Did not start again; the next question has it tried. */
  #broken = false;
  #closed = false;
  #nextId = 1;
  /** The first thread's start: what the module says of itself, as JSON. Rejects with Error. */
  readonly opened: Promise<string>;

  constructor(options: CallerOptions) {
    this.#options = options;
    this.#thread = this.#start();
    this.opened = this.#thread.ready;
  }

  /** The results, in order. Rejects with RejectedInputError for the caller's mistakes, else with Error. */
  ask(calls: string[]): Promise<string[]> {
    if (this.#closed) return Promise.reject(new Error("the function was let go"));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ calls, resolve, reject, place: 0, timer: undefined });
      if (this.#broken) this.#thread = this.#start();
      this.#postWaiting();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#failAll("the function was let go");
    await this.#thread.end();
  }

  #start(): FunctionThread {
    this.#isReady = false;
    this.#retires = false;
    this.#broken = false;
    const thread: FunctionThread = new FunctionThread(this.#options, {
      onAnswer: (answer) => {
        if (thread === this.#thread) this.#settle(answer);
      },
      onEnd: (reason) => {
        if (thread === this.#thread) this.#lose(reason);
      },
    });
    thread.ready.then(
      () => {
        if (thread !== this.#thread) return;
        this.#isReady = true;
        this.#postWaiting();
      },
      () => undefined, // its end was told
    );
    return thread;
  }

  #postWaiting(): void {
    if (!this.#isReady || this.#retires) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const question of waiting) {
      const id = this.#nextId++;
      question.place = this.#thread.post({ id, calls: question.calls });
      this.#asked.set(id, question);
      this.#arm(id, question);
    }
  }

  #arm(id: number, question: Question): void {
    const { timeoutMs } = this.#options;
    question.timer = setTimeout(() => {
      // what keeps it from being begun has a timer of its own
      if (!this.#thread.hasBegun(question.place)) return this.#arm(id, question);
      this.#asked.delete(id);
      question.reject(new Error(`it took longer than ${timeoutMs} ms and was stopped`));
      void this.#thread.end();
      this.#replace("it was stopped with another question that took too long");
    }, timeoutMs);
  }

  #settle(answer: Parameters<ConstructorParameters<typeof FunctionThread>[1]["onAnswer"]>[0]): void {
    const question = this.#asked.get(answer.id);
    if (question) {
      this.#asked.delete(answer.id);
      clearTimeout(question.timer);
      if (answer.kind === "results") question.resolve(answer.results);
      else if (answer.kind === "rejected") question.reject(new RejectedInputError(answer.reason));
      else question.reject(new Error(answer.reason));
    }
    if (answer.bytesBeside > this.#options.memoryMiB * MIB) this.#retires = true;
    if (!this.#retires || this.#asked.size > 0) return;
    void this.#thread.end();
    this.#replace("");
  }

  #lose(reason: string): void {
    if (!this.#isReady) {
      this.#broken = true;
      this.#failAll(`the function cannot be loaded: ${reason}`);
      return;
    }
    this.#replace(reason);
  }

  /** Starts another thread. What has begun in the last one fails for this reason. */
  #replace(reason: string): void {
    const again: Question[] = [];
    for (const question of this.#asked.values()) {
      clearTimeout(question.timer);
      if (this.#thread.hasBegun(question.place)) question.reject(new Error(reason));
      else again.push(question);
    }
    this.#asked.clear();
    this.#waiting.unshift(...again);
    if (!this.#closed) this.#thread = this.#start();
  }

  #failAll(reason: string): void {
    for (const { timer, reject } of [...this.#asked.values(), ...this.#waiting]) {
      clearTimeout(timer);
      reject(new Error(reason));
    }
    this.#asked.clear();
    this.#waiting = [];
  }
}
