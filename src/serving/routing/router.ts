import { rowsIn } from "../runtime/fitting.ts";
import type { Hello, SyncResult } from "../runtime/hello.ts";
import type { RawTensor } from "../tensors/raw-tensor.ts";
import type { RuntimeAddress } from "./address.ts";
import { addressText } from "./address-text.ts";
import { Directory, type ListedModel, type Place, type TrialBeside } from "./directory.ts";
import { FULL_FRAME_BYTES, framesOf } from "./gathering.ts";
import { type Connected, RuntimeLink } from "./link.ts";
import { type Answer, isPure, type Question, RuntimeError, type ServedModel, type Terms } from "./question.ts";

export interface RouterOptions {
  /** Where the runtimes are asked, in the order in which they are preferred. */
  sockets: RuntimeAddress[];
  /** Milliseconds from asking to the answer. */
  deadlineMs: number;
  /** The same for a model of this name. */
  deadlineOf?: (model: string) => number;
  /** Rows under way at a time; more are refused as `overloaded`. */
  inFlightRows: number;
  /** Called when what is served, or who serves it, has changed. */
  onChange?: () => void;
}

/** A runtime that is there. */
export interface ConnectedRuntime extends Omit<Hello, "models" | "protocol"> {
  /** Rows that this router asked it for and that it has not answered. */
  rows: number;
}

/** A runtime that is followed, there or not. */
export interface FollowedRuntime {
  address: RuntimeAddress;
  /** What it said of itself. */
  connected: Connected | undefined;
  /** Why it is not there, where that is known. */
  problem: string | undefined;
  /** Under way. */
  rows: number;
}

/** Between two looks at questions that have waited for too long. */
const LOOK_MS = 50;
/** A model that was there so short a time ago is being restarted: questions wait for it. */
const RESTART_MS = 10_000;
/** A question that so many runtimes went away over is not asked again. */
const MOST_LOSSES = 2;

/**
 * Has questions answered by runtimes. What is asked in one turn of the event loop for the same model travels in one frame, to the
 * runtime that is preferred among those that have the fewest full batches before them. Questions to a runtime that is lost, or that does
 * not answer in half of their time, go to another; while there is none they wait for one until their deadline.
 */
export class Router {
  readonly #options: RouterOptions;
  readonly #directory = new Directory();
  readonly #own: ReadonlySet<string>;
  #links: RuntimeLink[];
  /** Those that take nothing new and have not answered all yet. */
  #leaving: RuntimeLink[] = [];
  #resting: ReadonlySet<string> = new Set();
  readonly #watch: NodeJS.Timeout;
  #gathering = new Map<ServedModel, Question[]>();
  #waiting: Question[] = [];
  #rows = 0;
  #closed = false;

  constructor(options: RouterOptions) {
    this.#options = options;
    this.#own = new Set(options.sockets.map(addressText));
    this.#links = options.sockets.map((socket) => this.#linkTo(socket));
    this.#watch = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  /** The model that is served now under this name, or as the default one; in its live version or in this. */
  findConnected(name?: string, version?: string): ServedModel | undefined {
    return this.#directory.find(name, version);
  }

  /** The same, and the live version also while its only runtime is being restarted, unless it was unloaded: questions wait for it. */
  find(name?: string, version?: string): ServedModel | undefined {
    const served = this.#directory.find(name, version);
    if (served !== undefined || version !== undefined) return served;
    const last = this.#directory.findLast(name);
    return last && this.#directory.seenWithin(last, RESTART_MS) ? last : undefined;
  }

  /** What was served when it was last there. */
  findLast(name?: string): ServedModel | undefined {
    return this.#directory.findLast(name);
  }

  /** What is on trial beside a version that is live. */
  trialBeside(live: ServedModel): TrialBeside | undefined {
    return this.#directory.trialBeside(live);
  }

  /** What can be asked in place of a version that fails: the one before it, or the one that has taken its place meanwhile. */
  standInFor(served: ServedModel): ServedModel | undefined {
    return this.#directory.standInFor(served);
  }

  /** All that is served now. */
  get models(): ListedModel[] {
    return this.#directory.models;
  }

  /** The runtimes that take questions now. */
  get runtimes(): ConnectedRuntime[] {
    return this.#taking.flatMap(({ connected, rows }) => (connected ? [{ ...connected.hello, rows }] : []));
  }

  /** All runtimes that are followed, there or not. */
  get links(): FollowedRuntime[] {
    return this.#links.map(({ address, connected, problem, rows }) => ({ address, connected, problem, rows }));
  }

  /**
   * Asks these runtimes besides those of its own sockets, and no others any more. A runtime that is not named again answers what it has.
   * @param resting addresses, its own included, that get nothing new: they are connected still
   */
  follow(addresses: readonly RuntimeAddress[], resting: readonly RuntimeAddress[] = []): void {
    const wanted = new Map(addresses.map((address) => [addressText(address), address]));
    const stay = ({ address }: RuntimeLink) => this.#own.has(addressText(address)) || wanted.has(addressText(address));
    const left = this.#links.filter((link) => !stay(link));
    const kept = this.#links.filter(stay);
    const known = new Set(kept.map(({ address }) => addressText(address)));
    const added = [...wanted].flatMap(([text, address]) => (known.has(text) ? [] : [address]));
    this.#resting = new Set(resting.map(addressText));
    this.#links = [...kept, ...added.map((address) => this.#linkTo(address))];
    this.#leaving = [...this.#leaving.filter(({ closed }) => !closed), ...left];
    for (const link of left) link.retire();
    this.#refresh();
  }

  /** The model's outputs for these inputs, which must fit its card. Rejects with {@link RuntimeError}. A key counts for durable models. */
  predict(
    served: ServedModel,
    inputs: RawTensor[],
    { withinMs = Number.POSITIVE_INFINITY, standIn }: Terms = {},
  ): Promise<Answer> {
    const rows = rowsIn(served.card, inputs);
    let bytes = 0;
    for (const input of inputs) bytes += input.bytes.length;
    if (bytes > FULL_FRAME_BYTES) {
      return Promise.reject(new RuntimeError("invalid", `${bytes} bytes are too many to ask at once`));
    }
    if (this.#rows + rows > this.#options.inFlightRows) {
      return Promise.reject(new RuntimeError("overloaded", `${this.#rows} rows are under way`));
    }
    this.#rows += rows;
    const { deadlineMs, deadlineOf } = this.#options;
    const allowedMs = Math.min(withinMs, deadlineOf?.(served.model.name) ?? deadlineMs);
    const deadline = performance.now() + allowedMs;
    return new Promise((resolve, reject) => {
      const question: Question = {
        served,
        inputs,
        rows,
        deadline,
        allowedMs,
        losses: 0,
        hedged: false,
        standIn,
        resolve: (answer) => {
          this.#rows -= rows;
          resolve(answer);
        },
        reject: (error) => {
          this.#rows -= rows;
          error.worker = question.worker;
          reject(error);
        },
      };
      const gathered = this.#gathering.get(served);
      if (gathered) gathered.push(question);
      else {
        if (this.#gathering.size === 0) setImmediate(() => this.#flush());
        this.#gathering.set(served, [question]);
      }
    });
  }

  /** Has every runtime that is there serve what the registry names now. @returns what could not be loaded by any */
  async sync(): Promise<SyncResult> {
    const there = this.#links.filter(({ connected }) => connected !== undefined);
    const results = await Promise.all(there.map((link) => link.sync()));
    return { failed: results.flatMap(({ failed }) => failed) };
  }

  /** Ends all connections; what is under way fails as `unavailable`. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#watch);
    for (const link of [...this.#links, ...this.#leaving]) link.close();
    for (const question of this.#waiting) question.reject(unavailable());
    this.#waiting = [];
  }

  /** Those that get new questions. */
  get #taking(): RuntimeLink[] {
    if (this.#resting.size === 0) return this.#links;
    return this.#links.filter(({ address }) => !this.#resting.has(addressText(address)));
  }

  #linkTo(address: RuntimeAddress): RuntimeLink {
    return new RuntimeLink({
      socket: address,
      onChange: () => this.#refresh(),
      onReturn: (questions, lost) => this.#takeReturned(questions, lost),
    });
  }

  #flush(): void {
    const gathered = this.#gathering;
    this.#gathering = new Map();
    for (const [served, questions] of gathered) {
      if (this.#directory.places(served).length > 0) this.#dispatch(served, questions);
      else this.#askAgain(questions); // what has taken its place in this very turn
    }
  }

  /** Sends questions to the best runtime; where there is none they wait. */
  #dispatch(served: ServedModel, questions: Question[], except?: RuntimeLink): void {
    for (const part of framesOf(served, questions)) {
      const place = this.#closed ? undefined : this.#bestPlace(served, except);
      if (place) place.link.send(place.slot, part);
      else if (!this.#closed && this.#directory.seenWithin(served, RESTART_MS)) this.#waiting.push(...part);
      else for (const question of part) question.reject(unavailable());
    }
  }

  #bestPlace(served: ServedModel, except?: RuntimeLink): Place | undefined {
    let best: Place | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    for (const place of this.#directory.places(served)) {
      const batches = Math.floor(place.link.rows / place.batchRows);
      if (place.link === except || batches >= fewest) continue;
      best = place;
      fewest = batches;
    }
    return best;
  }

  /** Asks again what a runtime did not answer: of another one, or of what has taken the model's place. */
  #askAgain(questions: readonly Question[], except?: RuntimeLink): void {
    const bySuccessor = new Map<ServedModel, Question[]>();
    for (const question of questions) {
      const served = this.#directory.successor(question.served);
      if (served === undefined) {
        question.reject(new RuntimeError("changed", "the model was exchanged for one that takes something else"));
        continue;
      }
      question.served = served;
      const others = bySuccessor.get(served);
      if (others) others.push(question);
      else bySuccessor.set(served, [question]);
    }
    for (const [served, group] of bySuccessor) this.#dispatch(served, group, except);
  }

  #takeReturned(questions: readonly Question[], lost: boolean): void {
    const again = questions.filter((question) => {
      if (lost && !isPure(question)) {
        question.reject(new RuntimeError("unavailable", "the runtime went away while the model may have run", true));
        return false;
      }
      if (lost) question.losses++;
      if (question.losses <= (question.standIn ? 0 : MOST_LOSSES)) return true;
      question.reject(
        new RuntimeError("unavailable", `runtimes that went away over this question: ${question.losses}`),
      );
      return false;
    });
    this.#askAgain(again);
  }

  #refresh(): void {
    this.#directory.update(this.#taking);
    this.#options.onChange?.();
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#askAgain(waiting);
  }

  /** Ends what has waited for too long; what has waited for half of that is asked of another runtime where there is one. */
  #look(): void {
    const now = performance.now();
    const isLate = (question: Question) => question.deadline <= now;
    for (const question of this.#waiting.filter(isLate)) question.reject(unavailable());
    this.#waiting = this.#waiting.filter((question) => !isLate(question));
    for (const link of [...this.#links, ...this.#leaving]) {
      const overdue = link.takeBack(
        (question) =>
          isLate(question) ||
          (!question.hedged &&
            isPure(question) &&
            question.deadline <= now + question.allowedMs / 2 &&
            this.#bestPlace(question.served, link) !== undefined),
      );
      for (const question of overdue.filter(isLate)) {
        const mayHaveRun = !isPure(question);
        question.reject(new RuntimeError("deadline", `no answer within ${question.allowedMs} ms`, mayHaveRun));
      }
      const again = overdue.filter((question) => !isLate(question));
      for (const question of again) question.hedged = true;
      this.#askAgain(again, link);
    }
  }
}

function unavailable(): RuntimeError {
  return new RuntimeError("unavailable", "the model runtime is not there");
}
