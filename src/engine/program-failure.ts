import { type ErrorCode, errorCatalogue } from "../common/error-catalogue.ts";
import { SlipwayError } from "../common/errors.ts";

/** How a program names a documented failure: `E_PAYLOAD_MISSING: what happened`, then details, then `→ what to do`. */
const documented = /^(E_[A-Z_]+): (.*)$/;
const advice = /^→ (.*)$/;
/** How the SDK lists what it could not register when its program has nothing left to do. */
const waiting = /^\s*\* "(.*)" \[.*\] was waiting for /;
const unhandled = /^Running program '.*' failed with an unhandled exception:\n/;

/** Why a program failed, from what it said (secrets masked already): in its own words and with the code that it names. */
export function programFailure(said: string): SlipwayError {
  const text = said === "" ? "the program failed without saying why" : said;
  const [first = "", ...rest] = text.replace(unhandled, "").split("\n");
  const details = rest.filter((line) => line.trim() !== "");
  const [, code = "", message = ""] = documented.exec(first) ?? [];
  if (Object.hasOwn(errorCatalogue, code)) {
    const hint = advice.exec(details.at(-1) ?? "")?.[1];
    const given = hint === undefined ? { details } : { details: details.slice(0, -1), hint };
    return new SlipwayError(code as ErrorCode, message, given);
  }
  const stuck = details.flatMap((line) => waiting.exec(line)?.[1] ?? []);
  if (stuck.length > 0) {
    const names = stuck.join(", ");
    return new SlipwayError("E_PROGRAM_FAILED", `the program ended while resources were waiting: ${names}`, {
      details,
      hint: "They depend on each other in a circle, or on something that never comes: take one of the dependencies away.",
    });
  }
  return new SlipwayError("E_PROGRAM_FAILED", first.replace(/^<ref \*1> /, ""), {
    details,
    hint: "Mend the program and run the command again: what had been made is in the state, and nothing was deleted.",
  });
}
