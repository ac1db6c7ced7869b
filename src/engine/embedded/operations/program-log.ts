import type { SlipwayError } from "../../../common/errors.ts";
import { programFailure } from "../../program-failure.ts";
import type { Failures } from "../deployment/failures.ts";
import type { Reporter } from "../deployment/reporter.ts";
import type { ProgramLog } from "../monitor/engine-handlers.ts";
import type { ProgramEnd } from "../program/program.ts";

/** Passes on what a program says, and remembers its errors: they may be why it failed. */
export class ProgramMessages {
  readonly #reporter: Reporter;
  readonly #errors: string[] = [];

  constructor(reporter: Reporter) {
    this.#reporter = reporter;
  }

  readonly log: ProgramLog = (severity, message, urn) => {
    if (severity === "error") this.#errors.push(message);
    this.#reporter.message(severity, message, urn);
  };

  /**
   * Why the program failed, in its own words and with the code that it names; what only repeats a failed look-up is left to that
   * failure. Tells what the program itself has not.
   */
  failure(end: ProgramEnd, failures: Failures): SlipwayError {
    if (end.reason !== undefined) this.#reporter.message("error", end.reason);
    const own = this.#errors.filter((message) => !failures.repeats(message));
    // what it printed before explains nothing where it says itself why it ended
    const reason = own.length > 0 && end.reported ? undefined : end.reason;
    const text = [...own, ...(reason === undefined ? [] : [reason])].join("\n");
    return programFailure(this.#reporter.redactor.clean(text));
  }
}
