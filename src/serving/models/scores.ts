import { classOf, type Prediction } from "./card.ts";

/** One class, counted in rows. */
export interface ClassScore {
  class: number;
  /** Rows that are of this class. */
  actual: number;
  /** Rows that the model puts into it. */
  predicted: number;
  /** Rows of it that the model puts into it. */
  right: number;
}

/** Every class that occurs, in order: in truth, in the predictions, and in both at once. */
export function classScores(predictions: Prediction[], labels: number[]): ClassScore[] {
  const scores = new Map<number, ClassScore>();
  const scoreOf = (name: number): ClassScore => {
    const known = scores.get(name) ?? { class: name, actual: 0, predicted: 0, right: 0 };
    scores.set(name, known);
    return known;
  };
  for (const [row, label] of labels.entries()) {
    const predicted = classOf(predictions[row]);
    scoreOf(label).actual++;
    if (predicted === undefined) continue;
    scoreOf(predicted).predicted++;
    if (predicted === label) scoreOf(label).right++;
  }
  return [...scores.values()].sort((a, b) => a.class - b.class);
}
