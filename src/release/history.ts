import { appendFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { readTextIfExists, writeFileAtomic } from "../common/files.ts";
import { type Manifest, manifestSchema } from "../guest/manifest.ts";
import { releasePhase } from "../guest/release-progress.ts";
import { runsTheSame } from "./manifest-counters.ts";

const FILE = "releases.jsonl";
/** So many releases are remembered. */
const MOST = 200;
/** Lines that the file may have before it is written anew: each release has one when it begins and one when it ends. */
const MOST_LINES = 2 * MOST + 100;

const entrySchema = z.object({
  manifest: manifestSchema,
  /** `passed`, or why it did not: `kept` where what served before still does, `broken` where nothing is known to serve. */
  result: z.enum(["underway", "passed", "kept", "broken"]),
  /** Where it failed, and why; the host's step where it told no phase. */
  failure: z.object({ phase: z.union([releasePhase, z.string()]), reason: z.string() }).optional(),
  began: z.iso.datetime(),
  /** Milliseconds from publication to the verdict. */
  ms: z.number().nonnegative().optional(),
});

/** A release as this machine remembers it: with its manifest, so that it can be published again. */
export type HistoryEntry = z.infer<typeof entrySchema>;

/** Remembers a release; what was remembered of the same sequence before counts no more. One writer at a time: the stack's lock is held. */
export async function recordInHistory(home: string, entry: HistoryEntry): Promise<void> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  await appendFile(join(home, FILE), `${JSON.stringify(entry)}\n`, { mode: 0o600, flush: true });
  const text = (await readTextIfExists(join(home, FILE))) ?? "";
  if (text.split("\n").length <= MOST_LINES) return;
  const kept = entriesIn(text).map((one) => JSON.stringify(one));
  await writeFileAtomic(join(home, FILE), `${kept.join("\n")}\n`);
}

/** The releases that this machine remembers, in order of their sequence. */
export async function readHistory(home: string): Promise<HistoryEntry[]> {
  return entriesIn((await readTextIfExists(join(home, FILE))) ?? "");
}

/** A line that a crash has torn is passed over. */
function entriesIn(text: string): HistoryEntry[] {
  const bySequence = new Map<number, HistoryEntry>();
  for (const line of text.split("\n")) {
    const entry = parsedLine(line);
    if (entry !== undefined) bySequence.set(entry.manifest.sequence, entry);
  }
  return [...bySequence.values()].sort((a, b) => a.manifest.sequence - b.manifest.sequence).slice(-MOST);
}

function parsedLine(line: string): HistoryEntry | undefined {
  try {
    return entrySchema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}

/**
 * The manifest of the release before: the last one that passed, of those before `serving`, with another payload or model. What was on trial
 * beside either counts for nothing.
 */
export function releaseBefore(history: readonly HistoryEntry[], serving: Manifest): Manifest | undefined {
  return history.findLast(
    ({ manifest, result }) =>
      result === "passed" &&
      manifest.sequence < serving.sequence &&
      !runsTheSame({ ...manifest, trial: undefined, settings: serving.settings }, { ...serving, trial: undefined }),
  )?.manifest;
}
