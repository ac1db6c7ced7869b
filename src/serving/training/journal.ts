import { type EpochProgress, LOG_LINE_LENGTH, type LogLine, type TrainOptions } from "./contract.ts";
import type { EpochFigures } from "./mlp/fit.ts";

/** Tells a training's caller what happens, in the contract's form. */
export interface Journal {
  log(text: string, source?: LogLine["source"]): void;
  /** @param epochs planned ones */
  epoch(figures: EpochFigures, epochs: number): void;
  progress(progress: Omit<EpochProgress, "elapsedMs">): void;
  /** Since the training began. */
  seconds(): number;
}

export function startJournal({ onLog, onProgress }: Pick<TrainOptions, "onLog" | "onProgress">): Journal {
  const began = performance.now();
  const progress: Journal["progress"] = (told) =>
    onProgress?.({ ...told, elapsedMs: Math.round(performance.now() - began) });
  return {
    log: (text, source = "trainer") => {
      for (const line of text.split(/[\r\n]+/)) {
        if (line !== "") onLog?.({ time: new Date().toISOString(), source, text: line.slice(0, LOG_LINE_LENGTH) });
      }
    },
    progress,
    epoch: ({ epoch, loss, accuracy, validation }, epochs) =>
      progress({
        epoch,
        epochs,
        loss,
        ...(accuracy !== undefined && { accuracy }),
        ...(validation && { valLoss: validation.loss }),
        ...(validation?.accuracy !== undefined && { valAccuracy: validation.accuracy }),
      }),
    seconds: () => (performance.now() - began) / 1000,
  };
}
