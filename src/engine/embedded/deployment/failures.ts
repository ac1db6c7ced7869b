import { messageOf, SlipwayError } from "../../../common/errors.ts";
import type { Redactor } from "../secrets/redactor.ts";

/** Told to the program when no new step may start: its SDK then stops quietly. */
export class Stopped extends Error {
  override readonly name = "Stopped";
}

/** A registration that the program got wrong: it is told, and ends with this message. */
export class InvalidRequest extends Error {
  override readonly name = "InvalidRequest";
}

/** What went wrong in an operation; the first failure stops the start of new steps. */
export class Failures {
  readonly #redactor: Redactor;
  readonly #tell: (error: unknown, urn: string) => void;
  readonly #steps: SlipwayError[] = [];
  readonly #invokes: SlipwayError[] = [];
  readonly #first = Promise.withResolvers<void>();

  /** @param tell is told each failed step, in the moment */
  constructor(redactor: Redactor, tell: (error: unknown, urn: string) => void = () => undefined) {
    this.#redactor = redactor;
    this.#tell = tell;
  }

  /** Resolves when the first step fails. */
  get first(): Promise<void> {
    return this.#first.promise;
  }

  /** True once a step has failed. */
  get any(): boolean {
    return this.#steps.length > 0;
  }

  /** Notes that a resource could not be handled; returns the message for people. A SlipwayError keeps its code. */
  step(urn: string, error: unknown): string {
    this.#tell(error, urn);
    const failure = this.#clean(
      error,
      (message) => new SlipwayError("E_UPDATE_FAILED", urn === "" ? message : `${urn}: ${message}`, this.#facts(error)),
    );
    this.#steps.push(failure);
    this.#first.resolve();
    return this.#redactor.clean(messageOf(error));
  }

  /** Notes that a look-up failed. It counts if the program fails of it; a program may catch it and go on. */
  invoke(token: string, error: unknown): string {
    this.#invokes.push(
      this.#clean(error, (message) => new SlipwayError("E_PROGRAM_FAILED", `${token}: ${message}`, this.#facts(error))),
    );
    return this.#redactor.clean(messageOf(error));
  }

  /** What to throw at the end; `programFailed` says that the program did not end well. */
  verdict(programFailed: boolean): SlipwayError | undefined {
    const [first, ...others] = this.#steps.length > 0 ? this.#steps : programFailed ? this.#invokes : [];
    if (first === undefined || others.length === 0) return first;
    const more = others.map((error) => error.message).filter((message) => message !== first.message);
    return new SlipwayError(first.code, first.message, { ...details(first), details: [...first.details, ...more] });
  }

  /** True when the program only repeats what a failed look-up said. */
  repeats(message: string): boolean {
    return this.#invokes.some((error) => message.includes(error.message.split("\n")[0] ?? ""));
  }

  #facts(error: unknown): { requestId?: string; hint?: string; cause?: unknown } {
    const [requestId, hint] = [factOf(error, "requestId"), factOf(error, "hint")];
    return { cause: error, ...(requestId === undefined ? {} : { requestId }), ...(hint === undefined ? {} : { hint }) };
  }

  #clean(error: unknown, wrap: (message: string) => SlipwayError): SlipwayError {
    if (!(error instanceof SlipwayError)) return wrap(this.#redactor.clean(messageOf(error)));
    const message = this.#redactor.clean(error.message);
    const lines = error.details.map((line) => this.#redactor.clean(line));
    return message === error.message && lines.every((line, index) => line === error.details[index])
      ? error
      : new SlipwayError(error.code, message, { ...details(error), details: lines });
  }
}

function details(error: SlipwayError) {
  return {
    cause: error.cause,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.requestId === undefined ? {} : { requestId: error.requestId }),
  };
}

/** The request id or the hint that an error or one of its causes carries. */
function factOf(error: unknown, name: "requestId" | "hint"): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const fact = (at as { requestId?: unknown; hint?: unknown })[name];
    if (typeof fact === "string") return fact;
  }
  return undefined;
}
