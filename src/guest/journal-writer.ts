import { appendFileSync, closeSync, constants, mkdirSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { isErrno, messageOf } from "../common/errors.ts";
import { formatJournalLine, type JournalEntry, type JournalLine, parseJournal } from "./journal.ts";

type Verdict = Extract<JournalEntry, { type: "verdict" }>;

const MOST_LINES = 20;
const LONGEST_LINE = 300;

/** A step that failed: which one, why, and the last lines of what it printed. */
export class StepFailed extends Error {
  override readonly name = "StepFailed";
  readonly step: string;
  readonly lines: string[];

  constructor(step: string, reason: string, lines: string[], cause: unknown) {
    super(reason, { cause });
    this.step = step;
    this.lines = lines;
  }
}

/**
 * Writes a host's journal: each line to the file and to the console. Numbers go on where the boot's last line in the file stands, so
 * stage 0, the bootstrap and the agent, which follow one another, count as one.
 */
export class JournalWriter {
  readonly #file: string;
  readonly #console: string;
  readonly #boot: string;
  /** This writer's last line, and how long the file was then: as long as nobody else writes it need not be read. */
  #last = { seq: 0, size: -1 };

  constructor(file: string, console = process.env.SLIPWAY_CONSOLE ?? "/dev/console", boot = bootId()) {
    this.#file = file;
    this.#console = console;
    this.#boot = boot;
    mkdirSync(dirname(file), { recursive: true });
  }

  write(entry: JournalEntry): void {
    const seq = this.#lastSeq() + 1;
    const line = `${formatJournalLine({ boot: this.#boot, seq, entry })}\n`;
    try {
      appendFileSync(this.#file, line);
    } catch (error) {
      console.error(`the journal cannot be written: ${messageOf(error)}`); // a full disk; the console has the line
    }
    this.#last = { seq, size: this.#size() };
    this.#writeToConsole(line);
  }

  /** Runs a step between its start and end entries. Throws {@link StepFailed}. */
  async step<T>(step: string, act: () => Promise<T>): Promise<T> {
    const began = performance.now();
    const at = () => new Date().toISOString();
    const ms = () => Math.round(performance.now() - began);
    this.write({ type: "step", at: at(), step, state: "start" });
    try {
      const result = await act();
      this.write({ type: "step", at: at(), step, state: "end", code: 0, ms: ms() });
      return result;
    } catch (error) {
      const lines = lastLines(error);
      this.write({ type: "step", at: at(), step, state: "end", code: exitCodeOf(error), ms: ms(), lines });
      throw new StepFailed(step, lines[0] ?? "no reason given", lines, error);
    }
  }

  verdict(verdict: Omit<Verdict, "type" | "at">): void {
    this.write({ type: "verdict", at: new Date().toISOString(), ...verdict });
  }

  /** Whether a verdict was given since the host booted. */
  hasVerdict(): boolean {
    return this.#linesOfBoot().some(({ entry }) => entry.type === "verdict");
  }

  #lastSeq(): number {
    if (this.#size() === this.#last.size) return this.#last.seq;
    return this.#linesOfBoot().reduce((last, { seq }) => Math.max(last, seq), this.#last.seq);
  }

  #size(): number {
    return statSync(this.#file, { throwIfNoEntry: false })?.size ?? 0;
  }

  #linesOfBoot(): JournalLine[] {
    let text = "";
    try {
      text = readFileSync(this.#file, "utf8");
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw error;
    }
    return parseJournal(text).filter(({ boot }) => boot === this.#boot);
  }

  #writeToConsole(line: string): void {
    try {
      const console = openSync(this.#console, constants.O_WRONLY | constants.O_NOCTTY | constants.O_APPEND);
      try {
        writeSync(console, line);
      } finally {
        closeSync(console);
      }
    } catch {
      // a host may have no console, or a stopped one; the file has the line
    }
  }
}

/** Identifies this boot of the host. */
function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}

/** The message's lines, the reason first, then the last ones; without control characters, each of bounded length. */
function lastLines(error: unknown): string[] {
  const [reason = "", ...rest] = messageOf(error)
    .split("\n")
    .map((line) =>
      line
        .replace(/\p{Cc}/gu, " ")
        .trimEnd()
        .slice(0, LONGEST_LINE),
    )
    .filter((line) => line !== "");
  return [reason, ...rest.slice(1 - MOST_LINES)];
}

function exitCodeOf(error: unknown): number {
  const code = (error as { exitCode?: unknown } | null)?.exitCode;
  return typeof code === "number" && code !== 0 ? code : 1;
}
