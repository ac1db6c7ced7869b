import { areJoinable } from "../runtime/batcher.ts";
import { FrameError, MAX_FRAME_BYTES, type Timing } from "../runtime/frames.ts";
import { type RawTensor, splitRows } from "../tensors/raw-tensor.ts";
import { type Answer, type Question, rowsOf, type ServedModel } from "./question.ts";

/** A frame takes further questions up to here; a quarter of what a runtime accepts. */
export const FULL_FRAME_BYTES = MAX_FRAME_BYTES / 4;

/** Shares a turn's questions out to as few frames as their lengths and shapes allow. */
export function framesOf<Q extends Pick<Question, "inputs">>({ card }: ServedModel, questions: readonly Q[]): Q[][] {
  const frames: Q[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const question of questions) {
    const length = question.inputs.reduce((sum, input) => sum + input.bytes.length, 0);
    const frame = frames.at(-1);
    bytes += length;
    if (frame && card.batching && bytes <= FULL_FRAME_BYTES && areJoinable(question.inputs, frame[0]?.inputs ?? [])) {
      frame.push(question);
    } else {
      frames.push([question]);
      bytes = length;
    }
  }
  return frames;
}

/** Each question's part of the outputs that were computed for all of them. Throws {@link FrameError} for outputs that are not the model's. */
export function answersOf(
  outputs: RawTensor[],
  questions: readonly Pick<Question, "served" | "rows" | "worker">[],
  timing: Timing,
): Answer[] {
  const parts = partsOf(outputs, questions);
  return questions.map(({ served, worker }, index) => ({
    outputs: parts.map((part) => part[index] as RawTensor),
    served,
    timing,
    worker,
  }));
}

/** Output by output the parts that belong to the questions. Throws {@link FrameError} for outputs that are not the model's, or not of so many rows. */
function partsOf(
  outputs: RawTensor[],
  questions: readonly Pick<Question, "served" | "rows" | "worker">[],
): RawTensor[][] {
  const card = questions[0]?.served.card;
  const counts = questions.map(({ rows }) => rows);
  const rows = rowsOf(questions);
  return (card?.outputs ?? []).map(({ name, datatype }, index) => {
    const output = outputs[index];
    if (output?.datatype !== datatype) throw new FrameError(`output ${name} is not of ${datatype}`);
    if (!card?.batching) return [output];
    if (output.shape[0] !== rows) throw new FrameError(`output ${name} has ${output.shape[0]} rows for ${rows}`);
    return splitRows(output, counts);
  });
}
