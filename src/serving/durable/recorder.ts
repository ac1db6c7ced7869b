import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../../common/errors.ts";
import { encodeFrame, type Frame, FrameKind } from "../runtime/frames.ts";
import type { Refusal } from "../runtime/hello.ts";
import type { ModelSet } from "../runtime/model-set.ts";
import type { AcceptanceLog, AcceptedFrame } from "./acceptance-log.ts";

export interface RecorderOptions {
  log: AcceptanceLog;
  set: Pick<ModelSet, "find">;
  /** Whether a model of this name is durable. */
  isDurable: (model: string) => boolean;
  /** For how long an answer waits for its question to be written down, in milliseconds. */
  patienceOf: (model: string) => number;
  /** Whether the server can be asked now. */
  isReady: () => boolean;
}

const PAUSE_MS = 50;

/**
 * Has what a runtime is asked of durable models that are pure written down while it is computed, frame by frame, and gives no answer before its
 * question is on disk. Frames that come in one turn share the server's write.
 */
export class Recorder {
  readonly #options: RecorderOptions;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /** The frame that answers a question, as `compute` gives it, or a refusal where the question cannot be written down. */
  async answer(question: Frame, compute: () => Promise<Buffer>): Promise<Buffer> {
    const { log, set, isDurable } = this.#options;
    const served = question.kind === FrameKind.predict ? set.find(question.slot) : undefined;
    // what is not pure comes by way of the streams, written down already
    if (!served || served.card.pure === false || !isDurable(served.model.name)) return compute();
    const { name: model, version } = served.model;
    const refuse = (refusal: Refusal) => encodeFrame(FrameKind.failure, question.id, refusal);
    if (log.isFull(model)) return refuse({ reason: "overloaded", message: "too many durable questions are under way" });
    const writing = this.#write({ model, version: served.live ? "" : version, body: question.body });
    const answer = await compute();
    const entry = await writing;
    if (typeof entry !== "string") return refuse({ reason: "unavailable", message: entry.trouble });
    log.strike(entry);
    return answer;
  }

  /** Writes a frame down, if need be several times, and gives up when nobody waits any more. Never rejects. */
  async #write(frame: AcceptedFrame): Promise<string | { trouble: string }> {
    const { log, patienceOf, isReady } = this.#options;
    const deadline = performance.now() + patienceOf(frame.model);
    let trouble = "the queue is away";
    do {
      try {
        if (isReady()) return await log.append(frame);
      } catch (error) {
        trouble = `the queue does not answer: ${messageOf(error)}`;
      }
      await sleep(PAUSE_MS);
    } while (performance.now() < deadline);
    return { trouble };
  }
}
