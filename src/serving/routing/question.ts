import type { ModelCard } from "../models/card.ts";
import type { ModelIdentity } from "../models/registry.ts";
import type { Timing } from "../runtime/frames.ts";
import type { Refusal } from "../runtime/hello.ts";
import type { RawTensor } from "../tensors/raw-tensor.ts";

/** A model as it serves, on one runtime or several. */
export interface ServedModel {
  model: ModelIdentity;
  card: ModelCard;
  /** ONNX Runtime's version. */
  onnxruntime: string;
}

/** Outputs in the order of the card's, and the model that computed them. */
export interface Answer {
  outputs: RawTensor[];
  served: ServedModel;
  timing: Timing;
  /** The runtime's id among all hosts' workers, where it says one. */
  worker?: string | undefined;
}

/**
 * `unavailable`: no runtime serves the model. `deadline`: none answered in time. `changed`: the model was exchanged for one that takes
 * something else. Others: see {@link Refusal}.
 */
export type RuntimeFailure = "unavailable" | "deadline" | "changed" | Exclude<Refusal["reason"], "gone" | "lost">;

/** Why there is no prediction. Asking again is safe unless the model does something besides answering and may have done it. */
export class RuntimeError extends Error {
  override readonly name = "RuntimeError";
  readonly reason: RuntimeFailure;
  /** Whether a model that is not pure may have been asked, so that asking again may have it do twice what it does. */
  readonly mayHaveRun: boolean;
  /** The runtime that was asked last, where one was. */
  worker: string | undefined;

  constructor(reason: RuntimeFailure, message: string, mayHaveRun = false) {
    super(message);
    this.reason = reason;
    this.mayHaveRun = mayHaveRun;
  }
}

/**
 * Who may be asked where a version is on trial beside the live one: the one whose turn it is, surely the one on trial, surely not that one.
 * In shadow mode, which of them gets a copy.
 */
export type TrialChoice = "share" | "always" | "never";

/** Terms of a question. */
export interface Terms {
  /** How long whoever asks waits, where that is less than the router's own deadline, in milliseconds. */
  withinMs?: number | undefined;
  /** Names the question for good: asked again of a durable model, the same answer comes. */
  key?: string | undefined;
  /** Without it no version on trial has to do with the question: it is of this very version. */
  trial?: TrialChoice | undefined;
  /** Somebody else answers where a runtime is lost over it: no further runtime is put at risk. */
  standIn?: boolean | undefined;
}

/** What one caller asks, on its way. */
export interface Question {
  served: ServedModel;
  inputs: RawTensor[];
  rows: number;
  /** When it is too late to answer, in `performance.now()`'s milliseconds. */
  deadline: number;
  /** Milliseconds from asking to the deadline. */
  allowedMs: number;
  /** How often a runtime went away over it: one that takes every runtime down must come to an end. */
  losses: number;
  /** Whether another runtime was asked because the first was slow. */
  hedged: boolean;
  /** See {@link Terms}. */
  standIn?: boolean | undefined;
  /** The runtime that was asked last. */
  worker?: string | undefined;
  resolve: (answer: Answer) => void;
  reject: (error: RuntimeError) => void;
}

/** Whether a question may be asked of several runtimes without anybody noticing. */
export function isPure({ served }: Question): boolean {
  return served.card.pure !== false;
}

export function rowsOf(questions: readonly Pick<Question, "rows">[]): number {
  let rows = 0;
  for (const question of questions) rows += question.rows;
  return rows;
}
