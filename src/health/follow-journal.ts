import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, SlipwayError } from "../common/errors.ts";
import { type JournalEntry, type JournalLine, parseJournal } from "../guest/journal.ts";

/** The end of a contextualization or release as the host itself tells it. */
export type Verdict = Extract<JournalEntry, { type: "verdict" }>;

/** What to follow, and how long. */
export interface FollowOptions {
  /** The console log as the cloud has it now. */
  readConsole: () => Promise<string>;
  /** Publications before this one are history. */
  sequence: number;
  timeoutMs: number;
  onLine?: (line: JournalLine) => void;
  signal?: AbortSignal;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 2000;
/** A cloud that refuses the call so often in a row will not answer it at all. */
const REFUSALS = 5;

/**
 * Reads a host's journal off its console log, without a way into the host, until the verdict on publication `sequence` or a later one.
 * @returns the verdict; undefined when the cloud keeps refusing the console log, so that the caller must probe instead
 * @throws SlipwayError E_TIMEOUT, with the last step seen
 */
export async function followJournal(options: FollowOptions): Promise<Verdict | undefined> {
  const { readConsole, sequence, timeoutMs, onLine, signal } = options;
  const seen = new Set<string>();
  let history = true; // the first look shows also what was over before
  const deadline = performance.now() + timeoutMs;
  let last = "nothing was heard of it";
  let refusals = 0;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 1.2, LONGEST_PAUSE_MS)) {
    signal?.throwIfAborted();
    let console = "";
    try {
      console = await readConsole();
      refusals = 0;
    } catch (error) {
      refusals += 1;
      last = `the console log cannot be read: ${messageOf(error)}`;
      if (refusals >= REFUSALS) return undefined;
    }
    const journal = parseJournal(console);
    const past = history ? lastOfHistory(journal, sequence) : -1;
    history = false;
    for (const [index, line] of journal.entries()) {
      const key = `${line.boot} ${line.seq}`;
      if (seen.has(key)) continue;
      seen.add(key);
      if (index <= past) continue;
      pause = FIRST_PAUSE_MS; // something happens: look closely again
      onLine?.(line);
      last = describe(line.entry);
      if (line.entry.type === "verdict" && concerns(line.entry, sequence)) return line.entry;
    }
    if (performance.now() + pause > deadline) {
      throw new SlipwayError(
        "E_TIMEOUT",
        `the host gave no verdict in ${Math.round(timeoutMs / 1000)} s; last: ${last}`,
        {
          hint: "Read its console with `slipway logs --console`, then run `slipway up` again: it goes on where the host is.",
        },
      );
    }
    await sleep(pause, undefined, signal ? { signal } : undefined);
  }
}

/** The last entry that is of no interest any more: all before the newest verdict, and that one too if it is on an earlier publication. */
function lastOfHistory(journal: JournalLine[], sequence: number): number {
  const newest = journal.findLastIndex(({ entry }) => entry.type === "verdict");
  const verdict = journal[newest]?.entry;
  return verdict?.type === "verdict" && verdict.sequence >= sequence ? newest - 1 : newest;
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
