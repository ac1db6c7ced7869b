import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import { messageOf } from "../../common/errors.ts";
import { framesOf } from "../routing/gathering.ts";
import {
  type Answer,
  isPure,
  type Question,
  RuntimeError,
  rowsOf,
  type ServedModel,
  type Terms,
} from "../routing/question.ts";
import { joined } from "../runtime/batcher.ts";
import { rowsIn } from "../runtime/fitting.ts";
import type { RawTensor } from "../tensors/raw-tensor.ts";
import { answersIn, bodyOf } from "./answers.ts";
import { type DurableKeys, entriesByStream, isPending, TAKE } from "./protocol.ts";

export interface StreamRouterOptions {
  /** Waits for replies; nothing else is asked of it. Waits for a server that is away. */
  waiting: Redis;
  /** Takes frames; fails at once while the server is away. */
  commands: Redis;
  keys: DurableKeys;
  /** Names the frontend's process. */
  owner: string;
  deadlineOf: (model: string) => number;
  /** Rows under way at a time; more are refused as `overloaded`. */
  inFlightRows: number;
  /** Frames of a model that are under way, of all frontends; more are refused. */
  streamFrames: number;
  keepAnswersS: number;
  /** The version by which a model is asked: empty for whatever is the live one when the question is computed. */
  versionOf: (served: ServedModel) => string;
}

interface Keyed extends Question {
  key: string | undefined;
}

const LOOK_MS = 50;
/** More frames on their way to the server make its writes no faster. */
const MOST_ACCEPTING = 2;
const WAIT_MS = 250;

/**
 * Has questions to models that are not pure answered by way of streams in Redis that outlast every process: what was taken is asked of one
 * runtime, once, although the runtime, or Redis, is killed meanwhile. What is asked in one turn for the same model is one entry. A question
 * with a key is computed once: who asks again with it gets the answer that was given.
 */
export class StreamRouter {
  readonly #options: StreamRouterOptions;
  readonly #replies: string;
  readonly #flights = new Map<number, Keyed[]>();
  readonly #watch: NodeJS.Timeout;
  #gathering = new Map<ServedModel, Keyed[]>();
  #flushes = false;
  /** Frames that the server has not confirmed yet. */
  #accepting = 0;
  #rows = 0;
  #nextId = 1;
  #closed = false;

  constructor(options: StreamRouterOptions) {
    this.#options = options;
    this.#replies = options.keys.replies(options.owner);
    this.#watch = setInterval(() => this.#look(), LOOK_MS).unref();
    void this.#read();
  }

  /** As {@link Router.predict}. */
  predict(
    served: ServedModel,
    inputs: RawTensor[],
    { key, withinMs = Number.POSITIVE_INFINITY }: Terms = {},
  ): Promise<Answer> {
    const rows = rowsIn(served.card, inputs);
    if (this.#rows + rows > this.#options.inFlightRows) {
      return Promise.reject(new RuntimeError("overloaded", `${this.#rows} rows are under way`));
    }
    this.#rows += rows;
    const allowedMs = Math.min(withinMs, this.#options.deadlineOf(served.model.name));
    return new Promise<Answer>((resolve, reject) => {
      const deadline = performance.now() + allowedMs;
      const question: Keyed = {
        ...{ served, inputs, rows, deadline, allowedMs, losses: 0, hedged: false, resolve, key },
        reject: (error) => {
          error.worker = question.worker;
          reject(error);
        },
      };
      this.#gather(question);
    }).finally(() => {
      this.#rows -= rows;
    });
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#watch);
    for (const questions of [...this.#flights.values(), ...this.#gathering.values()]) {
      for (const question of questions)
        question.reject(new RuntimeError("unavailable", "the frontend is stopped", !isSafe(question)));
    }
    this.#flights.clear();
    this.#gathering.clear();
  }

  #gather(question: Keyed): void {
    const gathered = this.#gathering.get(question.served);
    if (gathered) gathered.push(question);
    else this.#gathering.set(question.served, [question]);
    this.#scheduleFlush();
  }

  /** At the end of the turn; while the server writes what it was sent, the next frame grows instead. */
  #scheduleFlush(): void {
    if (this.#flushes || this.#accepting >= MOST_ACCEPTING || this.#gathering.size === 0) return;
    this.#flushes = true;
    setImmediate(() => {
      this.#flushes = false;
      this.#flush();
    });
  }

  #flush(): void {
    const gathered = this.#gathering;
    this.#gathering = new Map();
    for (const [served, questions] of gathered) {
      for (const question of questions) if (question.key !== undefined) void this.#sendKeyed(question, question.key);
      const others = questions.filter(({ key }) => key === undefined);
      for (const part of framesOf(served, others)) void this.#send(part as Keyed[]);
    }
  }

  async #send(questions: Keyed[]): Promise<void> {
    const id = this.#takeId();
    this.#flights.set(id, questions);
    try {
      const taken = await this.#accept(id, questions);
      if (String(taken) !== "taken") this.#fail(id, overloaded());
    } catch (error) {
      this.#retry(id, error);
    }
  }

  async #sendKeyed(question: Keyed, key: string): Promise<void> {
    const id = this.#takeId();
    this.#flights.set(id, [question]);
    try {
      const known = this.#options.keys.answer(question.served.model.name, key);
      let taken: Buffer | null = await this.#accept(id, [question], known);
      if (String(taken) === "taken") return;
      if (String(taken) === "full") return this.#fail(id, overloaded());
      // somebody has asked before: the answer is there, or comes
      while (taken !== null && isPending(taken) && this.#flights.has(id)) {
        await sleep(LOOK_MS);
        taken = await this.#options.commands.getBuffer(known);
      }
      if (!this.#flights.has(id)) return;
      if (taken === null) this.#retry(id, new Error("the key was forgotten"));
      else this.#settle(id, taken);
    } catch (error) {
      this.#retry(id, error);
    }
  }

  async #accept(id: number, questions: Keyed[], known?: string): Promise<Buffer> {
    const [{ served }] = questions as [Keyed];
    const { streamFrames, keepAnswersS, commands, versionOf } = this.#options;
    const keys = [this.#options.keys.frames(served.model.name), ...(known === undefined ? [] : [known])];
    const body = bodyOf(joined(questions));
    const values = [streamFrames, this.#replies, id, versionOf(served), body, keepAnswersS];
    this.#accepting++;
    try {
      return (await commands.callBuffer("EVAL", TAKE, keys.length, ...keys, ...values)) as Buffer;
    } finally {
      this.#accepting--;
      this.#scheduleFlush();
    }
  }

  /** Asks again what Redis may not have taken, while there is time; what may be there twice then must bear it. */
  #retry(id: number, cause: unknown): void {
    const questions = this.#flights.get(id);
    this.#flights.delete(id);
    const wasSent = this.#options.commands.status === "ready";
    for (const question of questions ?? []) {
      if (wasSent && !isSafe(question)) {
        question.reject(new RuntimeError("unavailable", `the queue went away: ${messageOf(cause)}`, true));
      } else if (this.#closed || question.deadline <= performance.now() + LOOK_MS) {
        question.reject(new RuntimeError("unavailable", `the queue is away: ${messageOf(cause)}`));
      } else setTimeout(() => this.#gather(question), LOOK_MS);
    }
  }

  async #read(): Promise<void> {
    let last = "0-0";
    while (!this.#closed) {
      try {
        const { waiting } = this.#options;
        const reply = await waiting.callBuffer("XREAD", "COUNT", 100, "BLOCK", WAIT_MS, "STREAMS", this.#replies, last);
        for (const [, entries] of entriesByStream(reply)) {
          for (const { id, fields } of entries) {
            last = id;
            const envelope = fields.get("b");
            if (envelope) this.#settle(Number(String(fields.get("i"))), envelope);
          }
        }
      } catch {
        if (!this.#closed) await sleep(WAIT_MS);
      }
    }
  }

  #settle(id: number, envelope: Buffer): void {
    const questions = this.#flights.get(id);
    if (!questions) return; // it was too late
    this.#flights.delete(id);
    try {
      const answers = answersIn(envelope, questions);
      for (const [index, { resolve }] of questions.entries()) resolve(answers[index] as Answer);
    } catch (error) {
      for (const question of questions) {
        question.worker = (error as RuntimeError).worker;
        question.reject(error as RuntimeError);
      }
    }
  }

  #fail(id: number, error: RuntimeError): void {
    const questions = this.#flights.get(id) ?? [];
    this.#flights.delete(id);
    for (const { reject } of questions) reject(error);
  }

  #look(): void {
    const now = performance.now();
    for (const [id, questions] of this.#flights) {
      if (!questions.some(({ deadline }) => deadline <= now)) continue;
      for (const question of questions) {
        if (question.deadline > now) continue;
        const { allowedMs } = question;
        question.reject(new RuntimeError("deadline", `no answer within ${allowedMs} ms`, !isSafe(question)));
      }
      const left = questions.filter(({ deadline }) => deadline > now);
      if (rowsOf(left) === 0) this.#flights.delete(id);
    }
    for (const [served, questions] of this.#gathering) {
      const isLate = ({ deadline }: Keyed) => deadline <= now;
      if (!questions.some(isLate)) continue;
      for (const question of questions.filter(isLate)) {
        question.reject(new RuntimeError("unavailable", "the queue does not answer"));
      }
      this.#gathering.set(
        served,
        questions.filter((question) => !isLate(question)),
      );
    }
  }

  #takeId(): number {
    const id = this.#nextId;
    this.#nextId = (id % 0xffff_ffff) + 1;
    return id;
  }
}

/** Whether a question may be taken twice without harm. */
function isSafe(question: Keyed): boolean {
  return question.key !== undefined || isPure(question);
}

function overloaded(): RuntimeError {
  return new RuntimeError("overloaded", "as many durable questions as may be are under way");
}
