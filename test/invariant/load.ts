import { Agent } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { askOnce } from "../support/constant-load.ts";

const CONNECTIONS = 8;
const TICK_MS = 10;
const DEADLINE_MS = 15_000;

/** What requests came to, from the start or between two looks. */
export interface Counts {
  /** Requests that an answer, or an error, came to. */
  asked: number;
  /** Good answers by the model that gave them. */
  answers: ReadonlyMap<string, number>;
  /** Errors, statuses other than 200, and answers that no model gave. */
  failures: readonly string[];
  /** Answers of a model that was not allowed to answer when the request was sent. */
  wrong: readonly string[];
  /** Milliseconds that the slowest of all took. */
  longestMs: number;
}

/** What the client asks, and how it reads the answers. */
export interface LoadOptions {
  url: string;
  perSecond: number;
  /** A request's body, by its number. */
  bodyOf: (number: number) => string;
  /** The name of the model that gave an answer. Throws where it is no right answer to the request of this number. */
  modelOf: (answer: string, number: number) => string;
}

/**
 * A client that asks an endpoint at a constant rate over connections that it keeps, whatever the answers take, and judges every one of them.
 * No request is repeated: one that fails has failed.
 */
export class Load {
  readonly #options: LoadOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  readonly #timer: NodeJS.Timeout;
  readonly #answers = new Map<string, number>();
  readonly #failures: string[] = [];
  readonly #wrong: string[] = [];
  readonly #underWay = new Set<Promise<void>>();
  #allowed: ReadonlySet<string> = new Set();
  #asked = 0;
  #sent = 0;
  #longestMs = 0;
  #paused = false;
  #due = 0;
  #ticked = performance.now();

  constructor(options: LoadOptions, allowed: string[]) {
    this.#options = options;
    this.allow(...allowed);
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Requests that are sent from now on may be answered by these models and by no others. */
  allow(...models: string[]): void {
    this.#allowed = new Set(models);
  }

  /** What came since an earlier look. */
  counts(since?: Counts): Counts {
    const answers = new Map<string, number>();
    for (const [model, count] of this.#answers) {
      const more = count - (since?.answers.get(model) ?? 0);
      if (more > 0) answers.set(model, more);
    }
    const counted = {
      asked: this.#asked - (since?.asked ?? 0),
      answers,
      failures: this.#failures.slice(since?.failures.length ?? 0),
      wrong: this.#wrong.slice(since?.wrong.length ?? 0),
      longestMs: this.#longestMs,
    };
    return counted;
  }

  /** The same from the start, with all of it copied: to look at what came since. The longest time is counted anew from here. */
  look(): Counts {
    const counts = { ...this.counts(), longestMs: 0 };
    this.#longestMs = 0;
    return counts;
  }

  /** Sends nothing until {@link resume}, and waits for what is under way. */
  async pause(): Promise<void> {
    this.#paused = true;
    await Promise.all(this.#underWay);
  }

  resume(): void {
    this.#paused = false;
  }

  /** Waits until so many more requests were answered. */
  async untilAsked(more: number): Promise<void> {
    const enough = this.#asked + more;
    while (this.#asked < enough) await sleep(TICK_MS);
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#underWay);
    this.#agent.destroy();
  }

  #tick(): void {
    const now = performance.now();
    // what a busy machine missed is caught up with, for a second at most
    this.#due = Math.min(this.#due + ((now - this.#ticked) * this.#options.perSecond) / 1000, this.#options.perSecond);
    this.#ticked = now;
    if (this.#paused) this.#due = 0;
    for (; this.#due >= 1; this.#due--) {
      const asking = this.#ask(this.#sent++, this.#allowed).finally(() => this.#underWay.delete(asking));
      this.#underWay.add(asking);
    }
  }

  async #ask(number: number, allowed: ReadonlySet<string>): Promise<void> {
    const began = performance.now();
    try {
      const body = this.#options.bodyOf(number);
      const signal = AbortSignal.timeout(DEADLINE_MS);
      const { status, text } = await askOnce(this.#agent, this.#options.url, { body, signal });
      if (status !== 200) throw new Error(`${status} ${text.slice(0, 300)}`);
      const model = this.#options.modelOf(text, number);
      if (!allowed.has(model)) this.#wrong.push(`${model} answered, allowed: ${[...allowed].join(", ")}`);
      this.#answers.set(model, (this.#answers.get(model) ?? 0) + 1);
    } catch (error) {
      this.#failures.push(String(error));
    }
    this.#asked++;
    this.#longestMs = Math.max(this.#longestMs, performance.now() - began);
  }
}
