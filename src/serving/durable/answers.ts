import { messageOf } from "../../common/errors.ts";
import { answersOf } from "../routing/gathering.ts";
import { type Answer, type Question, RuntimeError } from "../routing/question.ts";
import { encodeFrame, encodeTensors, FrameKind, HEADER_BYTES, jsonIn, tensorsIn } from "../runtime/frames.ts";
import { type Refusal, refusalSchema } from "../runtime/hello.ts";
import type { RawTensor } from "../tensors/raw-tensor.ts";
import { encodeEnvelope, openEnvelope } from "./protocol.ts";

/** A question's tensors as they are written down: Redis' protocol stands around them, not ours. */
export function bodyOf(tensors: readonly RawTensor[]): Buffer {
  return encodeTensors(FrameKind.predict, 0, 0, tensors).subarray(HEADER_BYTES);
}

/** What is kept of an answer. */
export function envelopeOf({ outputs, served, timing, worker }: Answer): Buffer {
  return encodeEnvelope({ ...served.model, worker }, encodeTensors(FrameKind.predictions, 0, 0, outputs, timing));
}

/** What is kept of a failure that asking again would not change; undefined for one that it may. */
export function envelopeOfFailure({ reason, message }: RuntimeError): Buffer | undefined {
  if (reason !== "invalid" && reason !== "rejected" && reason !== "failed") return undefined;
  return encodeEnvelope(undefined, encodeFrame(FrameKind.failure, 0, { reason, message } satisfies Refusal));
}

/** The answers that an envelope holds for these questions. Throws {@link RuntimeError} where there are none, and why. */
export function answersIn(
  envelope: Buffer,
  questions: readonly Pick<Question, "served" | "rows" | "worker">[],
): Answer[] {
  let refusal: Refusal;
  let worker: string | undefined;
  try {
    const opened = openEnvelope(envelope);
    const { model, frame } = opened;
    worker = opened.worker;
    if (frame.kind === FrameKind.predictions) {
      const answers = answersOf(tensorsIn(frame.body), questions, frame.timing);
      return answers.map((answer) => ({
        ...answer,
        worker,
        served: model ? { ...answer.served, model } : answer.served,
      }));
    }
    refusal = refusalSchema.parse(jsonIn(frame.body));
  } catch (error) {
    throw new RuntimeError("failed", messageOf(error));
  }
  const { reason, message } = refusal;
  const failure = reason === "gone" || reason === "lost" ? "unavailable" : reason;
  const error = new RuntimeError(failure, message, reason === "lost");
  error.worker = worker;
  throw error;
}
