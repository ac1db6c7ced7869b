import { setImmediate as nextTurn } from "node:timers/promises";

/** Computes the outputs of some rows, row after row. */
export type Compute = (values: Float32Array, rows: number) => Promise<Float32Array>;

/** In rows. */
export interface BatchLimits {
  batchRows: number;
  queueRows: number;
}

/** The queue is full; the question was not taken. */
export class OverloadError extends Error {
  override readonly name = "OverloadError";
}

interface Question {
  values: Float32Array;
  rows: number;
  resolve: (outputs: Float32Array) => void;
  reject: (error: unknown) => void;
}

/**
 * Adaptive batching without timers: whatever arrives while one batch computes forms the next. A lone question is computed at once, and
 * under load the batches grow by themselves.
 */
export class Batcher {
  readonly #compute: Compute;
  readonly #limits: BatchLimits;
  #queue: Question[] = [];
  #queuedRows = 0;
  #working: Promise<void> | undefined;

  constructor(compute: Compute, limits: BatchLimits) {
    this.#compute = compute;
    this.#limits = limits;
  }

  /** The outputs of these rows. Rejects with {@link OverloadError} when too many rows wait, or with what the computation threw. */
  submit(values: Float32Array, rows: number): Promise<Float32Array> {
    if (this.#queuedRows + rows > this.#limits.queueRows) {
      return Promise.reject(new OverloadError(`${this.#queuedRows} rows wait for the runtime`));
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ values, rows, resolve, reject });
      this.#queuedRows += rows;
      this.#working ??= this.#work();
    });
  }

  /** Resolves when everything that was submitted is answered. */
  async drain(): Promise<void> {
    while (this.#working) await this.#working;
  }

  async #work(): Promise<void> {
    while (this.#queue.length > 0) {
      await nextTurn(); // sockets are read now: inference blocks the thread
      await this.#answer(this.#takeBatch());
    }
    this.#working = undefined; // in the same turn as the look at the queue, so that no question falls between
  }

  /** As many waiting questions as fit, and always one. */
  #takeBatch(): Question[] {
    let rows = 0;
    let count = 0;
    for (const question of this.#queue) {
      if (count > 0 && rows + question.rows > this.#limits.batchRows) break;
      rows += question.rows;
      count++;
    }
    this.#queuedRows -= rows;
    return this.#queue.splice(0, count);
  }

  async #answer(batch: Question[]): Promise<void> {
    try {
      const rows = batch.reduce((sum, question) => sum + question.rows, 0);
      const outputs = await this.#compute(joined(batch), rows);
      const width = outputs.length / rows;
      let at = 0;
      for (const question of batch) {
        question.resolve(outputs.subarray(at * width, (at + question.rows) * width));
        at += question.rows;
      }
    } catch (error) {
      for (const question of batch) question.reject(error);
    }
  }
}

/** The values of several questions, one after the other. */
export function joined(questions: { values: Float32Array }[]): Float32Array {
  const [first] = questions;
  if (first !== undefined && questions.length === 1) return first.values;
  const all = new Float32Array(questions.reduce((sum, { values }) => sum + values.length, 0));
  let at = 0;
  for (const { values } of questions) {
    all.set(values, at);
    at += values.length;
  }
  return all;
}
