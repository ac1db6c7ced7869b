import { isDefaultProvider } from "../../src/engine/embedded/urn.ts";
import type { EngineEvent, StepMetadata } from "../../src/engine/events.ts";

/** The steps of a run that ended well, without what stayed the same. A component's registration ends as it begins. */
export function endedSteps(events: readonly EngineEvent[]): StepMetadata[] {
  return events
    .flatMap(({ resourcePreEvent, resOutputsEvent }) => {
      const began = resourcePreEvent?.metadata;
      const ended = resOutputsEvent?.metadata;
      if (began?.new && !began.new.custom) return [began];
      return ended !== undefined && (ended.new === null || ended.new.custom) ? [ended] : [];
    })
    .filter(({ op, urn }) => op !== "same" && !isDefaultProvider(urn));
}
