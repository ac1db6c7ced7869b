import { SlipwayError } from "../../common/errors.ts";

/** What a model made of a table. */
export interface Accuracy {
  right: number;
  rows: number;
}

/** The share of rows that came out right, 0 … 1. */
function shareOf({ right, rows }: Accuracy): number {
  return right / rows;
}

/** One condition of a gate, with what was found. */
export interface GateCheck {
  name: "inputs" | "size" | "accuracy" | "drop" | "command";
  passed: boolean;
  /** What was found beside what was asked for, in words. */
  text: string;
  /** What was found, by name. */
  figures: Record<string, number>;
  /** Further lines: the last ones of a command. */
  lines?: string[];
}

/** Whether a model takes what the live one's clients ask; `demands` says what it does not. */
export function inputsCheck(demands: readonly string[], allowed: boolean): GateCheck {
  const text = `clients of the model that serves would be refused: ${demands.join("; ")}`;
  return { name: "inputs", passed: allowed, text, figures: { demands: demands.length } };
}

/** Whether a model's package is small enough. */
export function sizeCheck(bytes: number, maxMegabytes: number): GateCheck {
  const megabytes = bytes / 1e6;
  return {
    name: "size",
    passed: megabytes <= maxMegabytes,
    text: `the model has ${rounded(megabytes)} MB, at most ${maxMegabytes} are let through`,
    figures: { megabytes },
  };
}

/** Whether a model is right often enough. */
export function accuracyCheck(accuracy: Accuracy, min: number): GateCheck {
  return {
    name: "accuracy",
    passed: shareOf(accuracy) >= min,
    text: `${inWords(accuracy)}, at least ${rounded(min)} is asked for`,
    figures: { accuracy: shareOf(accuracy), rows: accuracy.rows },
  };
}

/**
 * Whether a model is not much worse than the one that serves.
 * @param before undefined where that one cannot be judged by this table, and `why`
 */
export function dropCheck(now: Accuracy, before: Accuracy | { why: string }, maxDrop: number): GateCheck {
  const found = inWords(now);
  if ("why" in before) {
    const text = `${found}; the model that serves cannot be compared: ${before.why}`;
    return { name: "drop", passed: true, text, figures: { accuracy: shareOf(now), rows: now.rows } };
  }
  // counted in rows: shares of the same table differ by whole rows, and not by what is lost in dividing
  const lost = before.right - now.right;
  return {
    name: "drop",
    passed: lost <= maxDrop * now.rows + 1e-9,
    text: `${found}, the model that serves ${rounded(shareOf(before))}; ${rounded(maxDrop)} may be lost`,
    figures: { accuracy: shareOf(now), accuracyBefore: shareOf(before), rows: now.rows },
  };
}

/**
 * Lets a release through whose checks all passed.
 * @throws SlipwayError E_GATE_FAILED naming the first that did not, with all of them below
 */
export function requirePassed(checks: readonly GateCheck[]): void {
  const failed = checks.find(({ passed }) => !passed);
  if (failed === undefined) return;
  throw new SlipwayError("E_GATE_FAILED", `the gate refuses the model here, ${failed.name}: ${failed.text}`, {
    details: [...checks.map(checkLine), ...(failed.lines ?? [])],
    hint: `Nothing was published, and the old release serves on; mend the model, or ${wayAround(failed)}.`,
  });
}

function wayAround({ name }: GateCheck): string {
  return name === "inputs"
    ? "say with --allow-new-inputs, or `allowNewInputs` of the stack's gate, that clients ask otherwise from now on"
    : "change the stack's gate";
}

/** A check as a line. */
export function checkLine({ name, passed, text }: GateCheck): string {
  return `${passed ? "passed" : "refused"} ${name}: ${text}`;
}

function inWords(accuracy: Accuracy): string {
  return `accuracy ${rounded(shareOf(accuracy))} (${accuracy.right} of ${accuracy.rows} rows)`;
}

function rounded(value: number): string {
  return String(Number(value.toFixed(4)));
}
