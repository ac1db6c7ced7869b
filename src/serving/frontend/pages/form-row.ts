import { described } from "../../../common/text.ts";

/** A row as a form sent it: what was typed, and what it says. */
export interface FormRow {
  texts: string[];
  /** The numbers; meaningless where there are problems. */
  values: number[];
  /** What is wrong with the row as a whole. */
  problem: string | undefined;
  /** What is wrong with each value; undefined where nothing is. */
  problems: (string | undefined)[];
}

const DECIMAL = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;

/** A form that nobody has sent yet: empty, or filled in with a known row. */
export function unsentRow(row: number[] = []): FormRow {
  return { texts: row.map(String), values: [], problem: undefined, problems: [] };
}

/** Reads the texts of a form's fields as the row that a model with so many features takes. */
export function readFormRow(texts: string[], features: number): FormRow {
  const typed = texts.slice(0, features).map((text) => text.trim());
  return {
    texts: typed,
    values: typed.map(Number),
    problem:
      texts.length === features ? undefined : `The form sent ${texts.length} values; the model takes ${features}.`,
    problems: typed.map(problemOf),
  };
}

/** Whether the row can be predicted. */
export function isComplete({ problem, problems }: FormRow): boolean {
  return problem === undefined && problems.every((one) => one === undefined);
}

function problemOf(text: string): string | undefined {
  if (text === "") return "A number is missing.";
  if (DECIMAL.test(text)) {
    return Number.isFinite(Math.fround(Number(text)))
      ? undefined
      : `${described(text)} is beyond what the model can take.`;
  }
  const withPoint = text.replace(",", ".");
  const hint = DECIMAL.test(withPoint) ? `: write ${withPoint}` : "";
  return `${described(text)} is not a number${hint}.`;
}
