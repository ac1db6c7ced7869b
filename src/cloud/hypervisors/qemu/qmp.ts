import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";

/** An event of a guest, as QEMU tells it. */
export interface QmpEvent {
  event: string;
  data?: Record<string, unknown>;
}

const connectMs = 5_000;
const answerMs = 20_000;

/** A refusal of QEMU's. */
class QmpError extends Error {
  override readonly name = "QmpError";
}

const closed = () => new QmpError("the guest's monitor closed");

/**
 * A session with a QEMU over its monitor socket (docs/interop/qmp-spec.txt). QEMU talks to one at a time: close it soon.
 */
export class Qmp {
  readonly #socket: Socket;
  readonly #answers: { resolve: (value: unknown) => void; reject: (error: Error) => void }[] = [];
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  readonly #greeted: Promise<void>;
  #ended = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#greeted = new Promise((resolve, reject) => {
      this.#answers.push({ resolve: () => resolve(), reject });
    });
    this.#greeted.catch(() => undefined);
    const end = () => {
      this.#ended = true;
      for (const { reject } of this.#answers.splice(0)) reject(closed());
    };
    createInterface({ input: socket })
      .on("line", (line) => this.#take(line))
      .on("error", end); // it passes the socket's on, which would end this process
    socket.on("close", end);
    socket.on("error", end);
  }

  /** Opens a session. @throws Error where nothing listens, or does not answer in time */
  static async open(path: string): Promise<Qmp> {
    const socket = connect(path);
    const qmp = new Qmp(socket);
    try {
      await inTime(connectMs, qmp.#greeted, "the guest's monitor does not answer");
      await qmp.execute("qmp_capabilities");
      return qmp;
    } catch (error) {
      qmp.close();
      throw error;
    }
  }

  /** Opens a session, and closes it when `work` has ended. */
  static async session<T>(path: string, work: (qmp: Qmp) => Promise<T>): Promise<T> {
    const qmp = await Qmp.open(path);
    try {
      return await work(qmp);
    } finally {
      qmp.close();
    }
  }

  /** @throws QmpError with QEMU's words */
  execute(command: string, args: Record<string, unknown> = {}): Promise<unknown> {
    if (this.#ended) return Promise.reject(closed());
    const answer = new Promise<unknown>((resolve, reject) => this.#answers.push({ resolve, reject }));
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
    return inTime(answerMs, answer, `the guest's monitor does not answer to ${command}`);
  }

  /** A command of the monitor for people; some things have no other. @returns what it printed, in words that no program was meant to read */
  async say(line: string): Promise<string> {
    return String(await this.execute("human-monitor-command", { "command-line": line })).trim();
  }

  /** Resolves with the first event that fits, from now on. @throws QmpError where the guest ends before, or it does not come in time */
  next(fits: (event: QmpEvent) => boolean, timeoutMs: number): Promise<QmpEvent> {
    const event = new Promise<QmpEvent>((resolve, reject) => {
      if (this.#ended) reject(closed());
      this.#socket.once("close", () => reject(closed()));
      const listener = (each: QmpEvent) => {
        if (!fits(each)) return;
        this.#listeners.delete(listener);
        resolve(each);
      };
      this.#listeners.add(listener);
    });
    return inTime(timeoutMs, event, "the guest does not answer");
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(line: string): void {
    const message = JSON.parse(line) as { QMP?: unknown; event?: string; error?: { desc: string }; return?: unknown };
    if (message.event !== undefined) {
      for (const listener of [...this.#listeners]) listener(message as QmpEvent);
      return;
    }
    const waiting = this.#answers.shift(); // answers come in the order of the commands
    if (message.error !== undefined) waiting?.reject(new QmpError(message.error.desc));
    else waiting?.resolve(message.return);
  }
}

async function inTime<T>(ms: number, work: Promise<T>, words: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new QmpError(`${words} within ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
