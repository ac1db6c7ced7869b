import { type JournalLine, parseJournal } from "../guest/journal.ts";
import { growth, lastLines, wholeLines } from "./console-growth.ts";
import { type ConsoleLooks, consoleTexts } from "./console-texts.ts";

/** What to follow, and from where. */
export interface FollowedConsole extends ConsoleLooks {
  /** What the last so many lines of the log hold comes first; all of it unless given. */
  lines?: number | undefined;
}

/** A function that answers the journal lines of a console log that it has not answered before. */
export function newJournalLines(): (console: string) => JournalLine[] {
  const seen = new Set<string>();
  return (console) =>
    parseJournal(console).filter(({ boot, seq }) => {
      const key = `${boot} ${seq}`;
      return !seen.has(key) && seen.add(key);
    });
}

/** A host's journal as it is written, until the signal. Throws ConsoleRefused. */
export async function* journalAsWritten({ lines, ...looks }: FollowedConsole): AsyncGenerator<JournalLine> {
  const unseen = newJournalLines();
  let isFirst = true;
  for await (const text of consoleTexts(looks)) {
    const found = unseen(text);
    yield* isFirst && lines !== undefined ? parseJournal(lastLines(text, lines)) : found;
    isFirst = false;
  }
}

/** A console log as it is written, whole lines at a time, until the signal. Throws ConsoleRefused. */
export async function* consoleAsWritten({ lines, ...looks }: FollowedConsole) {
  let known: string | undefined;
  for await (const text of consoleTexts(looks)) {
    const now = wholeLines(text);
    const added = known === undefined ? { text: lastLines(now, lines), gap: false } : growth(known, now);
    known = now === "" ? (known ?? "") : now; // a server that starts may have no log for a moment
    if (added.text !== "") yield added;
  }
}
