import { createContext, Script } from "node:vm";

/** How long a look for a client's pattern in one text may take, milliseconds. */
const patienceMs = 100;

const script = new Script("pattern.test(text)");
let context: { pattern?: RegExp; text?: string } | undefined;

/**
 * Whether a text fits a regular expression that a client has sent. One that would go through the text in ever new ways, as `(a+)+$` does,
 * is stopped: it would hold up everybody.
 * @throws Error where it was
 */
export function fitsPattern(pattern: RegExp, text: string): boolean {
  // without repetition there is nothing to go through again
  if (!/[*+?{]/.test(pattern.source)) return pattern.test(text);
  context ??= createContext({});
  Object.assign(context, { pattern, text });
  try {
    return Boolean(script.runInContext(context, { timeout: patienceMs }));
  } catch {
    throw new Error(`the pattern ${pattern.source} does not come to an end`);
  }
}
