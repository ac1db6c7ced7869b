/** So much of a log is recognised again; a shorter piece may look the same by chance. */
const OVERLAP = 80;

/** What a look at a console log shows that the one before it did not. */
export interface Growth {
  text: string;
  /** True where the log does not go on from what was known: it began anew, or more was written than the cloud keeps. */
  gap: boolean;
}

/** What was added to a log of which the cloud keeps the end only: its head may have gone meanwhile. */
export function growth(before: string, now: string): Growth {
  if (now.startsWith(before)) return { text: now.slice(before.length), gap: false };
  const head = now.slice(0, OVERLAP);
  if (head.length === OVERLAP) {
    // the longest end of the known text that the new one begins with
    for (let at = before.indexOf(head); at >= 0; at = before.indexOf(head, at + 1)) {
      const known = before.slice(at);
      if (now.startsWith(known)) return { text: now.slice(known.length), gap: false };
    }
  }
  return { text: now, gap: true };
}

/** A log up to its last line break: a line that is being written may still change. */
export function wholeLines(text: string): string {
  return text.slice(0, text.lastIndexOf("\n") + 1);
}

/** The last so many lines of a text of whole lines; all of them without a number. */
export function lastLines(text: string, lines: number | undefined): string {
  if (lines === undefined) return text;
  const rows = lines === 0 ? [] : text.split("\n").slice(-lines - 1);
  return rows.join("\n");
}
