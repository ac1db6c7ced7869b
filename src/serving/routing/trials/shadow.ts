import { rowsIn } from "../../runtime/fitting.ts";
import type { RawTensor } from "../../tensors/raw-tensor.ts";
import type { AskedRouter } from "../asked-router.ts";
import type { TrialBeside } from "../directory.ts";
import { type Answer, RuntimeError, type ServedModel } from "../question.ts";
import { type Difference, differenceBetween } from "./difference.ts";

/** Where what comes of copies is taken down, version by version. */
export interface ShadowFigures {
  compared(trial: ServedModel, live: ServedModel, difference: Difference, milliseconds: number): void;
  failed(trial: ServedModel, milliseconds: number): void;
  /** It was not asked, since so much was under way. */
  dropped(trial: ServedModel): void;
}

export interface ShadowOptions {
  /** The runtimes, past what counts for callers. */
  router: Pick<AskedRouter, "predict">;
  /** How far numbers of two versions' answers may be from each other. */
  toleranceOf: (trial: ServedModel, live: ServedModel) => Promise<number>;
  /** Rows under way that a router takes: copies have a part of them. */
  inFlightRows: number;
  figures: ShadowFigures;
}

/** Copies under way at a time, in questions; in bytes; and as a part of the rows that may be under way. */
const MOST_QUESTIONS = 32;
const MOST_BYTES = 32 * 1024 * 1024;
const ROWS_PART = 8;
/** Larger answers are not compared: it takes time that callers wait for. */
const COMPARED_BYTES = 1024 * 1024;

/**
 * Asks a version on trial what the live one has just answered, and compares. Nobody waits for it: it begins when the answer is on its way, and
 * what is too much is left out.
 */
export class Shadow {
  readonly #options: ShadowOptions;
  #questions = 0;
  #rows = 0;
  #bytes = 0;

  constructor(options: ShadowOptions) {
    this.#options = options;
  }

  /** Takes over a question and the live version's answer to it. */
  follow({ served }: TrialBeside, inputs: RawTensor[], answer: Answer): void {
    const rows = rowsIn(served.card, inputs);
    const answered = bytesOf(answer.outputs);
    const bytes = bytesOf(inputs) + answered;
    if (
      this.#questions >= MOST_QUESTIONS ||
      this.#rows + rows > this.#options.inFlightRows / ROWS_PART ||
      this.#bytes + bytes > MOST_BYTES ||
      answered > COMPARED_BYTES
    ) {
      this.#options.figures.dropped(served);
      return;
    }
    this.#take(1, rows, bytes);
    // after the answer was written: that happens in this turn
    setImmediate(() => {
      this.#ask(served, inputs, answer)
        // neither a package that cannot be read nor a broken answer is anything to a caller
        .catch(() => this.#options.figures.failed(served, 0))
        .finally(() => this.#take(-1, -rows, -bytes));
    });
  }

  async #ask(trial: ServedModel, inputs: RawTensor[], live: Answer): Promise<void> {
    const { router, toleranceOf, figures } = this.#options;
    const start = performance.now();
    let answer: Answer;
    try {
      answer = await router.predict(trial, inputs, { standIn: true });
    } catch (error) {
      const isFull = error instanceof RuntimeError && error.reason === "overloaded";
      return isFull ? figures.dropped(trial) : figures.failed(trial, performance.now() - start);
    }
    const milliseconds = performance.now() - start;
    // it was taken out of service meanwhile, and another version answered
    if (answer.served !== trial) return figures.dropped(trial);
    const tolerance = await toleranceOf(trial, live.served);
    figures.compared(trial, live.served, differenceBetween(answer.outputs, live.outputs, tolerance), milliseconds);
  }

  #take(questions: number, rows: number, bytes: number): void {
    this.#questions += questions;
    this.#rows += rows;
    this.#bytes += bytes;
  }
}

function bytesOf(tensors: readonly RawTensor[]): number {
  return tensors.reduce((sum, { bytes }) => sum + bytes.length, 0);
}
