import { setImmediate as nextTurn } from "node:timers/promises";
import { UnderWay } from "../../common/under-way.ts";
import { joinRows, type RawTensor, splitRows } from "../tensors/raw-tensor.ts";
import type { Timing } from "./frames.ts";
import type { Shares } from "./shares.ts";

/** Computes a model's outputs from its inputs. */
export type Compute = (inputs: RawTensor[]) => Promise<RawTensor[]>;

/** In rows. */
export interface BatchLimits {
  batchRows: number;
  queueRows: number;
}

/** What of a model says how its questions are computed. */
export interface BatchForm {
  /** Whether it computes rows of several questions together. */
  joins: boolean;
  /** Batches that it computes at a time, one unless told otherwise: more are of use where computing is waiting. */
  parallel?: number;
  /** Who computes in the same thread. */
  shares?: Shares;
}

/**
 * A batch that takes longer is cut, so that the answers of one half of the callers are on their way while the other half's are computed: else
 * all of them wait for each other, and the slowest for two whole batches.
 */
const PROMPT_MICROS = 1500;
/** A batch is not cut below: most of what is saved by computing rows together is saved by then, whatever a row takes. */
const WORTHWHILE_ROWS = 24;
/** How much a new measurement of a row's time counts. */
const NEWS = 0.3;

/** What is asked of a model: its inputs, and how many rows they have. */
export interface Rows {
  inputs: RawTensor[];
  rows: number;
}

/** What came of it. */
export interface Computed {
  outputs: RawTensor[];
  timing: Timing;
}

/** The queue is full; the question was not taken. */
export class OverloadError extends Error {
  override readonly name = "OverloadError";
}

interface Question extends Rows {
  since: number;
  resolve: (computed: Computed) => void;
  reject: (error: unknown) => void;
}

/**
 * Adaptive batching without timers: whatever arrives while one batch computes forms the next. A lone question is computed at once, and
 * under load the batches grow by themselves.
 */
export class Batcher {
  readonly #compute: Compute;
  readonly #limits: BatchLimits;
  readonly #form: BatchForm;
  #queue: Question[] = [];
  #queuedRows = 0;
  /** What a row took of late; 0 before anything was computed. */
  #microsPerRow = 0;
  readonly #working = new UnderWay<Promise<void>>();

  constructor(compute: Compute, limits: BatchLimits, form: BatchForm) {
    this.#compute = compute;
    this.#limits = limits;
    this.#form = form;
  }

  /** The outputs for these inputs. Rejects with {@link OverloadError} when too many rows wait, or with what the computation threw. */
  submit({ inputs, rows }: Rows): Promise<Computed> {
    if (this.#queuedRows + rows > this.#limits.queueRows) {
      return Promise.reject(new OverloadError(`${this.#queuedRows} rows wait for the runtime`));
    }
    this.#form.shares?.touch(this);
    return new Promise((resolve, reject) => {
      this.#queue.push({ inputs, rows, since: performance.now(), resolve, reject });
      this.#queuedRows += rows;
      if (this.#working.size < (this.#form.parallel ?? 1)) this.#startWork();
    });
  }

  /** Takes no part in the thread's turns any more. */
  leave(): void {
    this.#form.shares?.leave(this);
  }

  /** Resolves when everything that was submitted is answered. */
  async drain(): Promise<void> {
    while (this.#working.size > 0) await Promise.all(this.#working.items());
  }

  #startWork(): void {
    const work = this.#work(() => this.#working.leave(place));
    const place = this.#working.add(work);
  }

  async #work(end: () => void): Promise<void> {
    while (this.#queue.length > 0) {
      await nextTurn(); // sockets are read now: inference blocks the thread
      const batch = this.#takeBatch();
      if (batch.length > 0) await this.#answer(batch);
    }
    end(); // in the same turn as the look at the queue, so that no question falls between
  }

  /** As many waiting questions as fit together, and always one. */
  #takeBatch(): Question[] {
    let rows = 0;
    let count = 0;
    const [first] = this.#queue;
    const mostRows = this.#mostRows();
    for (const question of this.#queue) {
      if (count > 0) {
        if (!this.#form.joins || rows + question.rows > mostRows) break;
        if (!areJoinable(question.inputs, first?.inputs ?? [])) break;
      }
      rows += question.rows;
      count++;
    }
    this.#queuedRows -= rows;
    return this.#queue.splice(0, count);
  }

  /** Rows that are computed together at most: what comes later waits for all of them. */
  #mostRows(): number {
    const { batchRows } = this.#limits;
    if (this.#microsPerRow === 0) return batchRows;
    const rowsIn = (micros: number) => Math.floor(micros / this.#microsPerRow);
    const prompt = Math.min(batchRows, Math.max(WORTHWHILE_ROWS, rowsIn(PROMPT_MICROS)));
    const { shares } = this.#form;
    return shares?.areOthersAsked(this) ? Math.min(prompt, Math.max(1, rowsIn(shares.turnMicros))) : prompt;
  }

  async #answer(batch: Question[]): Promise<void> {
    const start = performance.now();
    try {
      const outputs = await this.#compute(joined(batch));
      const computeMicros = Math.round((performance.now() - start) * 1000);
      const counts = batch.map(({ rows }) => rows);
      const batchRows = counts.reduce((sum, rows) => sum + rows, 0);
      const microsPerRow = computeMicros / batchRows;
      this.#microsPerRow += this.#microsPerRow === 0 ? microsPerRow : NEWS * (microsPerRow - this.#microsPerRow);
      const parts = outputs.map((output) => splitRows(output, counts));
      for (const [index, question] of batch.entries()) {
        const timing = { batchRows, computeMicros, queueMicros: Math.round((start - question.since) * 1000) };
        question.resolve({ outputs: parts.map((part) => part[index] as RawTensor), timing });
      }
    } catch (error) {
      for (const question of batch) question.reject(error);
    }
  }
}

/** Whether two questions' inputs differ in nothing but the number of rows. */
export function areJoinable(a: readonly RawTensor[], b: readonly RawTensor[]): boolean {
  return a.every(({ shape }, input) => {
    const other = b[input]?.shape;
    if (other?.length !== shape.length) return false;
    for (let axis = 1; axis < shape.length; axis++) if (shape[axis] !== other[axis]) return false;
    return true;
  });
}

/** The inputs of several questions, input by input one after the other. */
export function joined(questions: readonly { inputs: RawTensor[] }[]): RawTensor[] {
  const [first] = questions;
  if (first === undefined || questions.length === 1) return first?.inputs ?? [];
  return first.inputs.map((_, input) => joinRows(questions.map(({ inputs }) => inputs[input] as RawTensor)));
}
