import { setTimeout as sleep } from "node:timers/promises";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 2000;
/** A cloud that refuses the call so often in a row will not answer it at all. */
const REFUSALS = 5;

/** The cloud keeps refusing to show a console log; its words are the cause. */
export class ConsoleRefused extends Error {
  override readonly name = "ConsoleRefused";
}

/** How to look at a console log again and again. */
export interface ConsoleLooks {
  /** The log as the cloud has it now. */
  readConsole: () => Promise<string>;
  /** Ends it. */
  signal: AbortSignal;
  /** The pause after something new; grows up to 2000 while it is quiet. 500 unless told otherwise. */
  firstPauseMs?: number | undefined;
}

/**
 * A console log's text at each look, again and again until the signal: closely while something is written, less often when it is quiet.
 * Throws {@link ConsoleRefused}.
 */
export async function* consoleTexts(looks: ConsoleLooks): AsyncGenerator<string> {
  const { readConsole, signal, firstPauseMs = FIRST_PAUSE_MS } = looks;
  let pause = firstPauseMs;
  let refusals = 0;
  let before: string | undefined;
  while (!signal.aborted) {
    let text: string | undefined;
    try {
      text = await readConsole();
      refusals = 0;
    } catch (cause) {
      refusals += 1;
      if (refusals >= REFUSALS) throw new ConsoleRefused("the cloud does not show the console log", { cause });
    }
    if (text !== undefined) {
      if (text !== before) pause = firstPauseMs;
      before = text;
      yield text;
    }
    await sleep(pause, undefined, { signal }).catch(() => undefined); // the signal ends the pause, and so the loop
    pause = Math.min(pause * 1.2, LONGEST_PAUSE_MS);
  }
}
