import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import { messageOf } from "../../common/errors.ts";
import type { AskedRouter } from "../routing/asked-router.ts";
import { type Answer, RuntimeError, type ServedModel, type Terms } from "../routing/question.ts";
import { rowsIn } from "../runtime/fitting.ts";
import type { RawTensor } from "../tensors/raw-tensor.ts";
import type { AcceptanceLog } from "./acceptance-log.ts";
import { answersIn, bodyOf, envelopeOf, envelopeOfFailure } from "./answers.ts";
import { type DurableKeys, isPending } from "./protocol.ts";

export interface KeptAnswersOptions {
  log: AcceptanceLog;
  commands: Redis;
  keys: DurableKeys;
  router: Pick<AskedRouter, "predict">;
  deadlineOf: (model: string) => number;
  versionOf: (served: ServedModel) => string;
}

const PAUSE_MS = 50;

/** Where the answer for a question with a key is, and what names the question in the log. */
interface Place {
  answer: string;
  entry: string;
}

/**
 * Has questions with a key answered once, by models that are pure: the question is on disk before it is asked, and its answer before it is
 * given. Who asks again with the key gets that answer, from whichever frontend.
 */
export class KeptAnswers {
  readonly #options: KeptAnswersOptions;

  constructor(options: KeptAnswersOptions) {
    this.#options = options;
  }

  /** As {@link Router.predict}. */
  async predict(served: ServedModel, inputs: RawTensor[], key: string, terms: Terms = {}): Promise<Answer> {
    const { keys, deadlineOf } = this.#options;
    const { name } = served.model;
    const allowedMs = Math.min(terms.withinMs ?? Number.POSITIVE_INFINITY, deadlineOf(name));
    const deadline = performance.now() + allowedMs;
    const answer = keys.answer(name, key);
    for (;;) {
      const accepted = await this.#accept(served, inputs, answer, deadline);
      const found =
        "kept" in accepted ? accepted : await this.#compute(served, inputs, { answer, ...accepted }, deadline);
      if ("served" in found) return found;
      const envelope = await this.#untilThere(found.kept, answer, deadline);
      // without one, who asked first was refused, and whoever asks now is the first
      if (envelope)
        return answersIn(envelope, [{ served, rows: rowsIn(served.card, inputs), worker: undefined }])[0] as Answer;
    }
  }

  /** Writes the question down, or finds what is kept for its key. */
  async #accept(
    served: ServedModel,
    inputs: RawTensor[],
    answer: string,
    deadline: number,
  ): Promise<{ entry: string } | { kept: Buffer }> {
    const { log, versionOf } = this.#options;
    const { name: model } = served.model;
    if (log.isFull(model)) throw new RuntimeError("overloaded", "too many durable questions are under way");
    const frame = { model, version: versionOf(served), body: bodyOf(inputs) };
    const tried: string[] = [];
    const accepted = await this.#insistently(deadline, async () => {
      const entry = log.open(model);
      tried.push(entry);
      const kept = await log.appendKeyed(entry, answer, frame);
      if (kept === undefined) return { entry };
      // an attempt whose reply was lost may have been the one that took it
      const own = tried.find((each) => kept.equals(Buffer.from(log.markOf(each))));
      return own === undefined ? { kept } : { entry: own };
    }).catch((error: unknown) => {
      for (const entry of tried) log.handOver(entry);
      throw error;
    });
    for (const entry of tried) if (!("entry" in accepted) || entry !== accepted.entry) log.strike(entry);
    return accepted;
  }

  /** Has the question computed and keeps the answer. What is not answered in time is left to the runtimes. */
  async #compute(
    served: ServedModel,
    inputs: RawTensor[],
    { answer, entry }: Place,
    deadline: number,
  ): Promise<Answer | { kept: Buffer }> {
    const { log, router } = this.#options;
    let computed: Answer | RuntimeError;
    try {
      computed = await router.predict(served, inputs, { withinMs: deadline - performance.now() });
    } catch (error) {
      if (!(error instanceof RuntimeError) || error.reason === "deadline" || error.reason === "unavailable") {
        log.handOver(entry);
        throw error;
      }
      computed = error;
    }
    const envelope = computed instanceof RuntimeError ? envelopeOfFailure(computed) : envelopeOf(computed);
    const kept = await this.#insistently(deadline, () => log.settle(entry, answer, envelope)).catch(
      (error: unknown) => {
        log.handOver(entry);
        throw error;
      },
    );
    if (kept !== undefined) return { kept };
    if (computed instanceof RuntimeError) throw computed;
    return computed;
  }

  /** The answer that somebody else has kept or will keep; null where it is given up. */
  async #untilThere(kept: Buffer, answer: string, deadline: number): Promise<Buffer | null> {
    let found: Buffer | null = kept;
    while (found !== null && isPending(found)) {
      if (performance.now() + PAUSE_MS > deadline)
        throw new RuntimeError("deadline", "the answer was not there in time");
      await sleep(PAUSE_MS);
      found = await this.#insistently(deadline, () => this.#options.commands.getBuffer(answer));
    }
    return found;
  }

  /** Asks the server until it answers. Throws {@link RuntimeError} where it does not in time. */
  async #insistently<T>(deadline: number, ask: () => Promise<T>): Promise<T> {
    for (;;) {
      let reason = "the queue does not answer";
      try {
        if (this.#options.commands.status === "ready") return await ask();
      } catch (error) {
        reason = `the queue does not answer: ${messageOf(error)}`;
      }
      if (performance.now() + PAUSE_MS > deadline) throw new RuntimeError("unavailable", reason);
      await sleep(PAUSE_MS);
    }
  }
}
