import { createContext, Script } from "node:vm";

/** How long a client's pattern may be looked for in all texts together, milliseconds: meanwhile nobody else is answered. */
const patienceMs = 500;

const script = new Script("pattern.test(text)");
let context: { pattern?: RegExp; text?: string } | undefined;

/**
 * Looks for a regular expression that a client has sent in one text after another. One that would go through a text in ever new ways, as
 * `(a+)+$` and `(a|a)(a|a)(a|a)` do, is stopped: it would hold up everybody.
 * @returns whether a text fits; throws an Error where it was stopped
 */
export function patientTest(pattern: RegExp): (text: string) => boolean {
  // without repetition and choice there is nothing to go through again
  if (!/[*+?{|]/.test(pattern.source)) return (text) => pattern.test(text);
  let left = patienceMs;
  return (text) => {
    context ??= createContext({});
    Object.assign(context, { pattern, text });
    const begun = performance.now();
    try {
      return Boolean(script.runInContext(context, { timeout: Math.max(1, Math.ceil(left)) }));
    } catch {
      throw new Error(`the pattern ${pattern.source} does not come to an end`);
    } finally {
      left -= performance.now() - begun;
    }
  };
}
