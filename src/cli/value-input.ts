import { password, text } from "@clack/prompts";
import { SlipwayError } from "../common/errors.ts";

/** Everything that is sent to standard input. Throws SlipwayError E_USAGE where that is a terminal: `what` then is wanted otherwise. */
export async function readInput(what: string, hint: string): Promise<string> {
  if (process.stdin.isTTY) throw new SlipwayError("E_USAGE", `${what} is missing`, { hint });
  let content = "";
  for await (const part of process.stdin.setEncoding("utf8")) content += part;
  return content;
}

/**
 * A value that was not given as an argument: asked for on a terminal, a secret without showing it, else read from standard input
 * without its last line break. Throws SlipwayError E_INTERRUPTED at Ctrl-C, E_USAGE where there is none.
 */
export async function readValue(key: string, isSecret: boolean, signal: AbortSignal): Promise<string> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    const hint = `Pipe it in: printf %s "$VALUE" | slipway config set ${key}${isSecret ? " --secret" : ""}.`;
    const value = (await readInput(`a value for ${key}`, hint)).replace(/\r?\n$/, "");
    if (value === "") throw new SlipwayError("E_USAGE", `standard input held no value for ${key}`, { hint });
    return value;
  }
  const question = { message: `value of ${key}`, output: process.stderr, signal };
  const answer = await (isSecret ? password(question) : text(question));
  if (typeof answer === "symbol") throw new SlipwayError("E_INTERRUPTED", "interrupted: nothing is written");
  return answer;
}
