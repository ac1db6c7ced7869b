import { type ErrorDetails, SlipwayError } from "../../common/errors.ts";
import type { DiagnosticEvent, EngineEvent } from "../events.ts";
import { programFailure } from "../program-failure.ts";
import { CommandFailed } from "./command.ts";

/** The engine's last word after a failure; what failed has been said before. */
const lastWord = /^(update|preview|destroy|refresh) failed$/;

/** Around what a look-up of the bridged providers failed of, in a program's message. */
const wrapping = /: 1 error occurred:\s*\* /;

/** What is remembered of a run in case it fails. */
export class Trouble {
  readonly #errors: DiagnosticEvent[] = [];

  note({ diagnosticEvent }: EngineEvent): void {
    if (diagnosticEvent?.severity === "error") this.#errors.push(diagnosticEvent);
  }

  /** The error of the engines' interface for what a run of the CLI threw. */
  failure(error: unknown): unknown {
    if (!(error instanceof CommandFailed)) return error;
    const said = this.#ofProgram();
    return (
      refusal(error, error.stderr) ??
      resourceFailure(this.#ofResources()) ??
      (said === "" ? unexplained(error) : (refusal(error, said) ?? programFailure(said)))
    );
  }

  #ofResources(): DiagnosticEvent[] {
    return this.#errors.filter(({ urn }) => urn !== undefined && !isStack(urn));
  }

  /** What the program logged before it ended belongs to no resource, or to the stack. */
  #ofProgram(): string {
    return this.#errors
      .filter(({ urn }) => urn === undefined || isStack(urn))
      .map(({ message }) => message.trim().replace(wrapping, ": "))
      .filter((message) => message !== "" && !lastWord.test(message))
      .join("\n");
  }
}

/** Why the CLI could not begin. Its texts are the interface: the Automation API goes by them too. */
function refusal(error: CommandFailed, said: string): SlipwayError | undefined {
  const text = plain(said);
  const given = { cause: error, details: text.split("\n").filter((line) => line.trim() !== "") };
  if (/currently locked by/.test(text)) {
    return new SlipwayError("E_LOCKED", "the stack is locked", {
      ...given,
      hint: "Wait for that operation to end. If it is surely dead, run `pulumi cancel`.",
    });
  }
  if (/incorrect passphrase|passphrase must be set/.test(text)) {
    return new SlipwayError("E_PASSPHRASE_WRONG", "the passphrase does not open the stack's secrets", {
      ...given,
      hint: "Set PULUMI_CONFIG_PASSPHRASE to the passphrase that the stack was made with.",
    });
  }
  if (/no stack named .* found/.test(text)) return new SlipwayError("E_STACK_UNKNOWN", firstError(text), given);
  if (
    /no (resource|language) plugin|unable to find (resource|language) plugin|[Cc]ould not (load|find) plugin/.test(text)
  ) {
    return new SlipwayError("E_ENGINE_MISSING", firstError(text), {
      ...given,
      hint: "Install the plugin with `pulumi plugin install`.",
    });
  }
  return undefined;
}

/** What a resource failed of; the first names the error, the others are its details. */
function resourceFailure(errors: DiagnosticEvent[]): SlipwayError | undefined {
  const messages = errors.map(({ urn, message }) => `${urn}: ${unwrapped(message)}`);
  const [first, ...more] = [...new Set(messages)];
  return first === undefined
    ? undefined
    : new SlipwayError("E_UPDATE_FAILED", first, { details: more, ...requestOf(first) });
}

function unexplained(error: CommandFailed): SlipwayError {
  const text = plain(error.stderr);
  const details = text.split("\n").filter((line) => line.trim() !== "");
  return new SlipwayError("E_UPDATE_FAILED", firstError(text) || error.message, {
    cause: error,
    details,
    ...requestOf(text),
  });
}

/** `1 error occurred:\n\t* what\n\n` is how Terraform's providers wrap a single error. */
function unwrapped(message: string): string {
  let text = message.trim();
  for (;;) {
    const inner = /^1 error occurred:\s*\* (?:(?:creating|updating|deleting|reading) urn:\S+: )?([\s\S]*)$/.exec(
      text,
    )?.[1];
    if (inner === undefined) return text;
    text = inner.trim();
  }
}

/** The request's id, where a message holds one: the cloud's operators ask for it. */
function requestOf(text: string): Pick<ErrorDetails, "requestId"> {
  const id = /\breq-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/.exec(text)?.[0];
  return id === undefined ? {} : { requestId: id };
}

function firstError(text: string): string {
  return /^error: (.*)$/m.exec(text)?.[1] ?? text.split("\n")[0] ?? "";
}

function isStack(urn: string): boolean {
  return urn.includes("::pulumi:pulumi:Stack::");
}

function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what a terminal's colours begin with
  return text.replace(/\x1b\[[0-9;]*m/g, "").trim();
}
