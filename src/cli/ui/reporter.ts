import { stripVTControlCharacters } from "node:util";
import { errorCatalogue } from "../../common/error-catalogue.ts";
import { messageOf, SlipwayError } from "../../common/errors.ts";

/** How a verb shows what it does. Results go to stdout, progress to stderr; with `--json` both are JSON lines on stdout. */
export interface OutputOptions {
  json: boolean;
  quiet: boolean;
  verbose: boolean;
}

/** One step of a verb as a user sees it. `note` adds a line below it, `detail` one that only `--verbose` shows. */
export interface Progress {
  note(text: string): void;
  detail(text: string): void;
}

/** Between two lines of what passes, where lines stay. */
const PASSING_MS = 1000;

/** Shows phases with their times, and remembers the times for the final object. */
export class Reporter {
  /** Milliseconds by phase, in order. */
  readonly timings: Record<string, number> = {};
  private readonly options: OutputOptions;
  private readonly colour: boolean;
  private lastPassed = Number.NEGATIVE_INFINITY;

  constructor(options: OutputOptions, env: NodeJS.ProcessEnv = process.env) {
    this.options = options;
    this.colour = process.stderr.isTTY === true && env.NO_COLOR === undefined && env.TERM !== "dumb";
  }

  /** One with times of its own, for the next part of a verb's work. */
  another(): Reporter {
    return new Reporter(this.options);
  }

  /** Runs a phase; its end is shown with the time it took, its failure is passed on. */
  async phase<T>(key: string, title: string, run: (progress: Progress) => Promise<T>): Promise<T> {
    const start = performance.now();
    this.event({ type: "phase", phase: key, state: "start" });
    this.transient(`… ${title}`);
    try {
      const result = await run({ note: (text) => this.note(text), detail: (text) => this.detail(text) });
      const ms = Math.round(performance.now() - start);
      this.timings[key] = (this.timings[key] ?? 0) + ms;
      this.event({ type: "phase", phase: key, state: "done", ms });
      this.line(`${this.paint(32, "✔")} ${title} ${this.paint(2, seconds(ms))}`);
      return result;
    } catch (error) {
      const ms = Math.round(performance.now() - start);
      this.event({ type: "phase", phase: key, state: "failed", ms });
      this.line(`${this.paint(31, "✖")} ${title} ${this.paint(2, seconds(ms))}`);
      throw error;
    }
  }

  /** A line that everybody should see. */
  note(text: string): void {
    this.event({ type: "note", text });
    this.line(`  ${text}`);
  }

  /** A line for `--verbose`; always an event. */
  detail(text: string): void {
    this.event({ type: "detail", text });
    if (this.options.verbose) this.line(`  ${this.paint(2, text)}`);
  }

  /**
   * Something that the next of its kind replaces: one line of a terminal, elsewhere a line now and then. Programs and `--verbose` get all of
   * them.
   */
  passing(event: Record<string, unknown>, text: string): void {
    this.event(event);
    const isDue = performance.now() - this.lastPassed >= PASSING_MS;
    if (this.options.verbose || (!this.colour && isDue)) {
      this.lastPassed = performance.now();
      this.line(`  ${text}`);
    } else if (this.colour) this.transient(`  ${text}`);
  }

  /** Something that only programs read: an event of the engine, say. */
  event(event: Record<string, unknown>): void {
    if (this.options.json) process.stdout.write(`${JSON.stringify({ at: new Date().toISOString(), ...event })}\n`);
  }

  /** A part of a result that has no end: `text` for people, `event` as a JSON line. */
  part(event: Record<string, unknown>, text: string): void {
    this.event(event);
    if (!this.options.json) process.stdout.write(`${text}\n`);
  }

  /** The verb's result: `text` for people, `object` as the last JSON line. */
  result(object: Record<string, unknown>, text: string): void {
    if (this.options.json) process.stdout.write(`${JSON.stringify({ schemaVersion: 1, ...object })}\n`);
    else if (text !== "") process.stdout.write(`${text}\n`);
  }

  /** The end of a verb that failed; `about` says with what, where it is about several things. */
  failure(error: unknown, about: Record<string, unknown> = {}): void {
    const known = error instanceof SlipwayError ? error : undefined;
    const code = known?.code ?? "E_BUG";
    const [message = "", ...more] = printable(messageOf(error)).split("\n");
    const details = [...more, ...(known?.details ?? placesOf(error))];
    if (this.options.json) {
      const { hint, requestId } = known ?? {};
      const { exitCode } = errorCatalogue[code];
      this.result(
        {
          ok: false,
          ...about,
          error: { code, exitCode, message, hint, requestId, details, docs: `docs/errors/${code}.md` },
        },
        "",
      );
      return;
    }
    const stderr = (text: string) => process.stderr.write(`${text}\n`);
    this.clear();
    stderr(`${this.paint(31, code)}: ${message}`);
    for (const line of details) stderr(`    ${printable(line)}`);
    if (known?.hint !== undefined) stderr(`  → ${known.hint}`);
  }

  private line(text: string): void {
    if (this.options.json || this.options.quiet) return;
    this.clear();
    process.stderr.write(`${text}\n`);
  }

  // On a terminal the running phase stands on the last line until the next line replaces it.
  private transient(text: string): void {
    if (this.colour && !this.options.json && !this.options.quiet) process.stderr.write(`\r\x1b[2K${text}`);
  }

  private clear(): void {
    if (this.colour) process.stderr.write("\r\x1b[2K");
  }

  private paint(sgr: number, text: string): string {
    return this.colour ? `\x1b[${sgr}m${text}\x1b[0m` : text;
  }
}

/** Where a bug showed: the stack trace without the message. */
function placesOf(error: unknown): string[] {
  const lines = error instanceof Error ? (error.stack ?? "").split("\n") : [];
  return lines.map((line) => line.trim()).filter((line) => line.startsWith("at "));
}

/** Text of a guest or a cloud made safe for a terminal: no escape codes, no control characters but line breaks. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to remove
  return stripVTControlCharacters(text).replace(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/g, " ");
}

/** Milliseconds as people read them. */
export function seconds(ms: number): string {
  return ms < 950 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
