import type { Question } from "./load-report.ts";
import type { Net } from "./nets.ts";

/** A way to serve a model that is up. */
export interface Served {
  question: Question;
  /** The model's number in an answer; NaN where there is none. */
  probabilityIn: (answer: Buffer) => number;
  /** The processes that do the work, by what they are called; each with all that descend from it. */
  processes: Record<string, number>;
  stop: () => Promise<unknown>;
}

/** A way to serve a model. */
export interface ServingPath {
  /** How it is asked for on the command line. */
  key: string;
  /** How the report calls it. */
  name: string;
  kind: "baseline" | "ours" | "competitor";
  /** The model takes no part in the answers. */
  modelless?: true;
  /** Starts it in an empty folder of its own; it has answered once when this returns. Throws where it cannot be had. */
  start: (net: Net, folder: string) => Promise<Served>;
}

/** A JSON question by POST. */
export function asksJson(url: string, value: unknown): Question {
  return { url, method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) };
}

/** The question that most paths take: one row. */
export function asksRow(url: string, { row }: Net): Question {
  return asksJson(url, { rows: [row] });
}

/** The first number of an answer of the Open Inference Protocol. */
export function firstOutput(answer: Buffer): number {
  const { outputs } = JSON.parse(answer.toString()) as { outputs?: { data?: number[] }[] };
  return outputs?.[0]?.data?.[0] ?? Number.NaN;
}

/** The answer that most paths give: `{"predictions": [{"probability": …}]}`. */
export function firstPrediction(answer: Buffer): number {
  const { predictions } = JSON.parse(answer.toString()) as { predictions?: { probability?: number }[] };
  return predictions?.[0]?.probability ?? Number.NaN;
}
