import { createInterface } from "node:readline/promises";
import { SlipwayError } from "../common/errors.ts";

/**
 * Has a stack's name typed before something is done to it that cannot be undone.
 * @param what what is done, e.g. `removing production`
 * @throws SlipwayError E_USAGE where nobody can be asked, E_INTERRUPTED for another answer and for none (Ctrl-C, Ctrl-D)
 */
export async function confirmByName(stack: string, what: string, signal: AbortSignal): Promise<void> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new SlipwayError("E_USAGE", `${what} must be confirmed`, { hint: "Add --yes." });
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const question = `Type the stack's name to confirm ${what}: `;
  // the terminal's own keys never become signals here: readline reads them
  const answer = await terminal.question(question, { signal }).catch((error: unknown) => {
    if (error instanceof Error && error.name === "AbortError") return undefined;
    throw error;
  });
  terminal.close();
  if (answer?.trim() !== stack) throw new SlipwayError("E_INTERRUPTED", `${stack} is left as it is`);
}
