import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, SlipwayError } from "../../common/errors.ts";
import { takesRows } from "../models/card.ts";
import type { ModelIdentity } from "../models/registry.ts";
import { RuntimeError } from "../routing/question.ts";
import type { Router } from "../routing/router.ts";
import { predictRows, type RowModel } from "../routing/rows.ts";
import type { PlanCostOptions } from "../training/plan-cost/options.ts";
import { planCostReply, planRows } from "../training/plan-cost/predict.ts";
import { readPlanOptions } from "./plan-models.ts";
import { Refused } from "./reply.ts";

/** Numbers and rows of one question to a runtime, at most. */
const CHUNK_NUMBERS = 1024 * 1024;
const CHUNK_ROWS = 512;
/** Between two attempts while the runtimes have enough to do. */
const PAUSE_MS = 20;
/** A model that is exchanged under way is asked anew so often. */
const ATTEMPTS = 3;
/** Options of so many models are remembered. */
const REMEMBERED = 200;

/** What predictions work with. */
export interface PredictionSurroundings {
  router: Pick<Router, "find" | "predict">;
  modelsDir: string;
  /** How long a prediction may take, in milliseconds. */
  deadlineMs: number;
}

/** Predicts what plans cost, through the runtimes. */
export class PlanPredictions {
  readonly #around: PredictionSurroundings;
  readonly #options = new Map<ModelIdentity["digest"], PlanCostOptions>();

  constructor(around: PredictionSurroundings) {
    this.#around = around;
  }

  /**
   * The costs of a file's plans as `/predict` tells them.
   * @throws Refused `S` for a model that does not serve, `F` for a file that is not right, `R` where the runtimes do not get to it in time
   */
  async predict(name: string, plans: string): Promise<ReturnType<typeof planCostReply>> {
    const until = performance.now() + this.#around.deadlineMs;
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const served = this.#around.router.find(name);
      if (served === undefined || !takesRows(served.card)) throw new Refused("S", `${name} does not serve`);
      const options = await this.#optionsOf(name, served.model.digest);
      const outputs = options.labels.length;
      const answered = await this.#outputs(served as RowModel, outputs, rowsOf(options, plans), until);
      if (answered) return planCostReply(options, answered);
    }
    throw new Refused("R", `${name} is being exchanged`);
  }

  /** Row after row; undefined where another model than the one that was asked has answered. */
  async #outputs(
    served: RowModel,
    labels: number,
    { rows, values }: { rows: number; values: Float32Array },
    until: number,
  ): Promise<Float32Array | undefined> {
    const width = values.length / rows;
    const step = Math.max(1, Math.min(CHUNK_ROWS, Math.floor(CHUNK_NUMBERS / width)));
    const outputs = new Float32Array(rows * labels);
    let at = 0;
    for (let row = 0; row < rows; row += step) {
      const count = Math.min(step, rows - row);
      const answer = await this.#ask(served, values.slice(row * width, (row + count) * width), count, until);
      if (answer?.served.model.digest !== served.model.digest) return undefined;
      outputs.set(answer.outputs, at);
      at += answer.outputs.length;
    }
    return outputs;
  }

  /** Asks again while the runtimes have enough to do; undefined where the model was exchanged. */
  async #ask(served: RowModel, values: Float32Array, rows: number, until: number) {
    for (;;) {
      try {
        return await predictRows(this.#around.router, served, values, rows);
      } catch (error) {
        if (!(error instanceof RuntimeError)) throw error;
        if (error.reason === "changed") return undefined;
        const hasTime = performance.now() + PAUSE_MS < until;
        if (error.reason !== "overloaded" || !hasTime) throw refusalOf(error);
        await sleep(PAUSE_MS);
      }
    }
  }

  async #optionsOf(name: string, digest: ModelIdentity["digest"]): Promise<PlanCostOptions> {
    const known = this.#options.get(digest);
    if (known) return known;
    try {
      const options = await readPlanOptions(this.#around.modelsDir, digest);
      const [oldest] = this.#options.keys();
      if (this.#options.size >= REMEMBERED && oldest) this.#options.delete(oldest);
      this.#options.set(digest, options);
      return options;
    } catch (cause) {
      throw new Refused("S", `${name} predicts no plans: ${messageOf(cause)}`, { cause });
    }
  }
}

function rowsOf(options: PlanCostOptions, plans: string) {
  try {
    return planRows(options, plans);
  } catch (error) {
    if (error instanceof SlipwayError) throw new Refused("F", error.message, { cause: error });
    throw error;
  }
}

function refusalOf(error: RuntimeError): Refused {
  const { reason, message } = error;
  if (reason === "invalid" || reason === "rejected") return new Refused("F", message, { cause: error });
  return new Refused(reason === "failed" ? "i" : "R", message, { cause: error });
}
