import { SlipwayError } from "../../common/errors.ts";
import { type Answers, type Asked, asked, type Known, type Question, questionOf } from "./questions.ts";

/** Where the answers come from that were not given. */
export type Answering = "suggested" | "required" | ((question: Question) => Promise<string>);

/**
 * Checks the answers that were given and finds the others: by asking, by what is suggested, or not at all.
 * @throws SlipwayError E_LOOKUP, E_MODEL_INVALID, E_USAGE for a given answer that is wrong; E_USAGE for those that are missing, all of
 * them, with what there is to choose from
 */
export async function completeAnswers(given: Answers, known: Known, others: Answering): Promise<Record<Asked, string>> {
  const answers: Answers = { ...given };
  const missing: Question[] = [];
  for (const option of asked) {
    const question = questionOf(option, answers, known);
    const answer = given[option];
    if (answer !== undefined) demandGood(question, answer);
    else if (typeof others === "function") answers[option] = await others(question);
    else {
      // also where it may not be taken: the questions that follow depend on it
      answers[option] = question.suggestion;
      const isTaken = question.suggestion !== undefined && (others === "suggested" || question.follows);
      if (!isTaken) missing.push(question);
    }
  }
  if (missing.length > 0) throw unanswered(missing);
  return answers as Record<Asked, string>;
}

function demandGood({ option, code, choices, problem }: Question, answer: string): void {
  const reason = problem(answer);
  if (reason === undefined) return;
  throw new SlipwayError(code, `--${option}: ${reason}`, {
    hint: `Give --${option} another value, or leave it out on a terminal to be asked for it.`,
    details: (choices ?? []).map(({ name, about }) => `${name}  ${about}`.trim()),
  });
}

function unanswered(questions: Question[]): SlipwayError {
  const options = questions.map(({ option }) => `--${option}`);
  return new SlipwayError("E_USAGE", `nobody can be asked here, and these are not given: ${options.join(", ")}`, {
    hint: "Give them, or run it on a terminal; --yes takes what is suggested.",
    details: questions.map(({ option, choices, suggestion }) => {
      const names = choices?.map(({ name }) => name) ?? (suggestion === undefined ? [] : [suggestion]);
      return `--${option}: ${names.join(", ") || "nothing is suggested"}`;
    }),
  });
}
