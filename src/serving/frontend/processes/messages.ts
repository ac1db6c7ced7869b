import type { Reading } from "../../metrics/meter.ts";

/** What a frontend's process asks of the one that started it. */
export type Question = { what: "session-key" } | { what: "figures" } | { what: "hit"; key: string; windowMs: number };

/** From a process to the one that started it. */
export type FromWorker =
  /** It listens. */
  | { kind: "up" }
  /** Counted since the last one. */
  | { kind: "counts"; readings: Reading[] }
  /** All that is to be known, because it was asked for. */
  | { kind: "taken"; id: number; counts: Reading[]; gauges: Reading[] }
  | { kind: "question"; id: number; question: Question };

/** And back. */
export type FromPrimary = { kind: "take"; id: number } | { kind: "answer"; id: number; answer: unknown };
