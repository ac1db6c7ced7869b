import { autocomplete, select, text } from "@clack/prompts";
import { SlipwayError } from "../../common/errors.ts";
import type { Question } from "./questions.ts";

/** A list of more is searched by typing. */
const LONG_LIST = 12;

/**
 * Puts a question on the terminal; results go to stdout, so that this is stderr.
 * @throws SlipwayError E_INTERRUPTED at Ctrl-C, E_LOOKUP where there is nothing to choose from
 */
export async function ask(
  question: Pick<Question, "message" | "choices" | "suggestion" | "problem">,
  signal: AbortSignal,
): Promise<string> {
  const { message, choices, suggestion, problem } = question;
  const terminal = { output: process.stderr, signal };
  let answer: string | symbol;
  if (choices === undefined) {
    const initialValue = suggestion === undefined ? {} : { initialValue: suggestion };
    const validate = (value = "") => problem(value.trim());
    answer = await text({ message, ...initialValue, validate, ...terminal });
  } else {
    if (choices.length === 0) {
      throw new SlipwayError("E_LOOKUP", problem("") ?? message, {
        hint: "Choose another cloud with --os-cloud, or ask its operators for what is missing.",
      });
    }
    const width = Math.max(...choices.map(({ name }) => name.length));
    const options = choices.map(({ name, about }) => ({
      value: name,
      label: `${name.padEnd(width)}  ${about}`.trimEnd(),
    }));
    const put = choices.length > LONG_LIST ? autocomplete<string> : select<string>;
    answer = await put({ message, options, maxItems: LONG_LIST, ...terminal });
  }
  // the library's answer to Ctrl-C
  if (typeof answer === "symbol") throw new SlipwayError("E_INTERRUPTED", "interrupted: nothing is written");
  return answer.trim();
}
