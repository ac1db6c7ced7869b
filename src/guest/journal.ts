import { z } from "zod";

const time = z.iso.datetime();
/** One line of a host's journal; written to its file and, as `slipway/1 <boot> <seq> <json>`, to the console. */
const journalEntry = z.union([
  z.object({ type: z.literal("step"), at: time, step: z.string(), state: z.literal("start") }),
  z.object({
    type: z.literal("step"),
    at: time,
    step: z.string(),
    state: z.literal("end"),
    /** 0 = well. */
    code: z.number().int(),
    ms: z.number(),
    /** The step's last lines, only when it failed. */
    lines: z.array(z.string()).optional(),
  }),
  z.object({
    type: z.literal("verdict"),
    at: time,
    /** Of the manifest that was acted upon. */
    sequence: z.number().int(),
    ok: z.boolean(),
    /** What serves now: after a failed release the old model. */
    model: z.object({ name: z.string(), version: z.string(), digest: z.string() }).optional(),
    /** Probabilities of the model's golden rows, computed through the frontend. */
    outputs: z.array(z.number()).optional(),
    /** With ok=false: the step that failed and why. */
    failure: z.object({ step: z.string(), reason: z.string(), lines: z.array(z.string()) }).optional(),
    ms: z.number(),
  }),
]);

export type JournalEntry = z.infer<typeof journalEntry>;

/** An entry with its place: `boot` identifies one boot of the guest, `seq` counts from 1 in it. */
export interface JournalLine {
  boot: string;
  seq: number;
  entry: JournalEntry;
}

/** The console form of a line, without a newline. */
export function formatJournalLine({ boot, seq, entry }: JournalLine): string {
  return `slipway/1 ${boot} ${seq} ${JSON.stringify(entry)}`;
}

const HEAD = /slipway\/1 ([0-9a-f-]{1,64}) (\d{1,9}) (?=\{)/g;

/**
 * The journal lines in a console log, in order, once each. Everything else in it — kernel lines, also on an entry's own line, a cut
 * first line, text that a guest made up — is passed over.
 */
export function parseJournal(console: string): JournalLine[] {
  const lines = new Map<string, JournalLine>();
  for (const head of console.matchAll(HEAD)) {
    const [prefix, boot, seq] = head as unknown as [string, string, string];
    const entry = journalEntry.safeParse(objectAt(console, head.index + prefix.length));
    if (entry.success && !lines.has(`${boot} ${seq}`))
      lines.set(`${boot} ${seq}`, { boot, seq: Number(seq), entry: entry.data });
  }
  return [...lines.values()];
}

/** The JSON object that begins at `start`, undefined where there is no whole one before the line's end. */
function objectAt(text: string, start: number): unknown {
  let depth = 0;
  let quoted = false;
  for (let at = start; at < text.length && text[at] !== "\n"; at++) {
    const char = text[at];
    if (quoted && char === "\\") at++;
    else if (char === '"') quoted = !quoted;
    else if (!quoted && char === "{") depth++;
    else if (!quoted && char === "}" && --depth === 0) return parsed(text.slice(start, at + 1));
  }
  return undefined;
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined; // not an entry: a cut line, or noise that looks like one
  }
}
