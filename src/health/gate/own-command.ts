import { stripVTControlCharacters } from "node:util";
import type { GateCheck } from "../../serving/judging/checks.ts";
import { type Ending, runGuarded } from "../../serving/training/external/guarded-process.ts";

/** So many of a command's last lines say why it refused. */
const SHOWN_LINES = 20;

/** A program that judges a model. */
export interface OwnCommand {
  command: readonly string[];
  cwd: string;
  /** Beside the environment that the verb has: `SLIPWAY_MODEL_DIR` and the like. */
  told: Record<string, string>;
  timeoutMs: number;
  signal: AbortSignal;
  onLine: (line: string) => void;
}

/** Runs a user's own check: it lets the model through by the exit status 0. Throws the signal's reason where it was aborted. */
export async function commandCheck(own: OwnCommand): Promise<GateCheck> {
  const { command, cwd, told, timeoutMs, signal, onLine } = own;
  const lines: string[] = [];
  const began = performance.now();
  const env = Object.fromEntries(
    Object.entries({ ...process.env, ...told }).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  const ending = await runGuarded({
    command,
    cwd,
    env,
    timeoutMs,
    signal,
    onLine: (line) => {
      const shown = stripVTControlCharacters(line);
      onLine(shown);
      lines.push(shown);
      if (lines.length > SHOWN_LINES) lines.shift();
    },
  });
  if (ending.kind === "aborted") signal.throwIfAborted();
  return {
    name: "command",
    passed: ending.kind === "exit" && ending.code === 0,
    text: `${command[0]} ${wordsOf(ending, timeoutMs)}`,
    figures: { seconds: (performance.now() - began) / 1000 },
    lines,
  };
}

function wordsOf(ending: Ending, timeoutMs: number): string {
  switch (ending.kind) {
    case "exit":
      return `ended with ${ending.code}`;
    case "signal":
      return `was ended by ${ending.signal}`;
    case "not started":
      return `could not be started: ${ending.reason}`;
    case "timeout":
      return `ran past its ${timeoutMs / 1000} s`;
    case "aborted":
      return "was interrupted";
  }
}
