import { PreviewJson } from "../../../src/cli/plan/plan-json.ts";
import type { EngineEvent } from "../../../src/engine/engine.ts";
import type { Json, Planned, Step } from "./recording.ts";

/** The key that marks a secret in events and checkpoints. */
export const secretKey = "4dabf18193072939515e22adb298388d";

/** The steps that an engine told of. */
export function stepsOf(events: EngineEvent[]): Step[] {
  return events.flatMap((event): Step[] => {
    const { resourcePreEvent, resOutputsEvent, resOpFailedEvent } = event;
    if (resourcePreEvent !== undefined) {
      const { op, urn, keys, diffs, detailedDiff } = resourcePreEvent.metadata;
      return [
        {
          ...{ phase: "begin", op, urn },
          ...(keys === undefined || keys.length === 0 ? {} : { keys }),
          ...(diffs === undefined || diffs.length === 0 ? {} : { diffs }),
          ...(detailedDiff === null ? {} : { detailedDiff }),
        },
      ];
    }
    const ended = resOutputsEvent ?? resOpFailedEvent;
    if (ended === undefined) return [];
    const { op, urn } = ended.metadata;
    return [{ phase: resOpFailedEvent === undefined ? "end" : "fail", op, urn }];
  });
}

/** The steps of `preview --json`. */
export function planOf(events: EngineEvent[]): Planned[] {
  const preview = new PreviewJson();
  for (const event of events) preview.take(event);
  return preview.digest.steps.map(({ op, urn, detailedDiff, diffReasons, replaceReasons, newState }) => ({
    ...{ op, urn },
    ...(detailedDiff && { detailedDiff }),
    ...(diffReasons && { diffReasons }),
    ...(replaceReasons && { replaceReasons }),
    ...(newState?.inputs === undefined ? {} : { inputs: masked(newState.inputs as Json) }),
    ...(newState?.outputs === undefined ? {} : { outputs: masked(newState.outputs as Json) }),
  }));
}

/** The outputs that a preview foresees for what it would make or change, by operation and URN. */
export function foreseenOf(events: EngineEvent[]): Record<string, Json> {
  const ended = events.flatMap(({ resOutputsEvent }) => resOutputsEvent?.metadata ?? []);
  const changing = ended.filter(({ op, new: now }) => op !== "same" && now?.custom === true);
  return Object.fromEntries(
    changing.map(({ op, urn, new: now }) => [`${op} ${urn}`, masked((now?.outputs ?? {}) as Json)]),
  );
}

/** Secrets as the recordings have them; what they hold is masked on both sides. */
function masked(value: Json): Json {
  if (Array.isArray(value)) return value.map(masked);
  if (value === null || typeof value !== "object") return value;
  if (value[secretKey] !== undefined) return { $secret: value.ciphertext ?? null };
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, masked(item)]));
}
