import { SlipwayError } from "../common/errors.ts";
import type { JournalEntry, JournalLine } from "../guest/journal.ts";
import { lastWords, runcmdFailure } from "./cloud-init.ts";
import { type ConsoleLooks, ConsoleRefused, consoleTexts } from "./console-texts.ts";
import { newJournalLines } from "./follow-console.ts";

/** The end of a contextualization or release as the host itself tells it. */
export type Verdict = Extract<JournalEntry, { type: "verdict" }>;

/** What to follow, and how long. */
export interface FollowOptions extends Omit<ConsoleLooks, "signal"> {
  /** Publications before this one are history. */
  sequence: number;
  timeoutMs: number;
  /** How long a bootstrap may be silent after a `runcmd` that failed; 10 000 unless told otherwise. */
  silenceMs?: number;
  onLine?: (line: JournalLine) => void;
  signal?: AbortSignal;
}

const SILENCE_MS = 10_000;
/** Lines of the console that a message has. */
const SHOWN_LINES = 8;

/**
 * Reads a host's journal off its console log, without a way into the host, until the verdict on publication `sequence`, or on a later one
 * where the host never told of this: it follows the highest alone.
 * @returns the verdict; undefined when the cloud keeps refusing the console log, so that the caller must probe instead
 * @throws SlipwayError E_TIMEOUT, with the last step seen; E_BOOTSTRAP_FAILED where cloud-init did not get as far as the bootstrap
 */
export async function followJournal(options: FollowOptions): Promise<Verdict | undefined> {
  const { readConsole, firstPauseMs, sequence, timeoutMs, silenceMs = SILENCE_MS, onLine, signal } = options;
  const ends = [AbortSignal.timeout(timeoutMs), ...(signal === undefined ? [] : [signal])];
  const unseen = newJournalLines();
  let history = true; // the first look shows also what was over before
  let last: string | undefined;
  let console = "";
  let silentSince: number | undefined;
  try {
    for await (console of consoleTexts({ readConsole, firstPauseMs, signal: AbortSignal.any(ends) })) {
      const journal = unseen(console);
      const past = history ? endOfHistory(journal, sequence) : -1;
      history = false;
      for (const line of journal.slice(past + 1)) {
        onLine?.(line);
        last = describe(line.entry);
        if (line.entry.type === "verdict" && concerns(line.entry, sequence)) return line.entry;
      }
      const complaints = last === undefined && past < 0 ? runcmdFailure(console) : undefined;
      if (complaints === undefined) continue;
      silentSince ??= performance.now();
      if (performance.now() - silentSince >= silenceMs) throw neverBegan(complaints);
    }
  } catch (error) {
    if (error instanceof ConsoleRefused) return undefined;
    throw error;
  }
  signal?.throwIfAborted();
  const heard = last ?? "nothing was heard of it";
  throw new SlipwayError("E_TIMEOUT", `the host gave no verdict in ${Math.round(timeoutMs / 1000)} s; last: ${heard}`, {
    hint: "Read its console with `slipway logs --console`, then run `slipway up` again: it goes on where the host is.",
    details: lastWords(console, SHOWN_LINES),
  });
}

function neverBegan(complaints: string[]): SlipwayError {
  return new SlipwayError("E_BOOTSTRAP_FAILED", "cloud-init failed in `runcmd`, and the bootstrap never began", {
    hint: "Look at the whole console with `slipway logs --console`, mend the templates, remove the host with `slipway down`, and begin anew.",
    details: complaints.slice(-SHOWN_LINES),
  });
}

/** The last entry that is of no interest any more: all before the newest verdict on this publication, else on a later one, else that too. */
function endOfHistory(journal: JournalLine[], sequence: number): number {
  const newest = (isMeant: (of: number) => boolean) =>
    journal.findLastIndex(({ entry }) => entry.type === "verdict" && isMeant(entry.sequence));
  const own = newest((of) => of === sequence);
  const found = own === -1 ? newest((of) => of > sequence) : own;
  return found === -1 ? newest(() => true) : found - 1;
}

/** A host that could not even read a manifest fails under sequence 0. */
function concerns(verdict: Verdict, sequence: number): boolean {
  return verdict.sequence >= sequence || (verdict.sequence === 0 && !verdict.ok);
}

/** A journal entry in a few words. */
export function describe(entry: JournalEntry): string {
  if (entry.type === "verdict")
    return entry.ok ? "the host passed its gate" : `the host failed: ${entry.failure?.reason ?? "no reason given"}`;
  if (entry.state === "start") return `step ${entry.step} began`;
  return entry.code === 0 ? `step ${entry.step} done` : `step ${entry.step} failed with ${entry.code}`;
}
