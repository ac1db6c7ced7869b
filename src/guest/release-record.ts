import { z } from "zod";
import { readTextIfExists, writeFileAtomic } from "../common/files.ts";
import { manifestSchema } from "./manifest.ts";
import type { GuestPaths } from "./paths.ts";

const recordSchema = z.object({
  schemaVersion: z.literal(1),
  /** Of the last manifest that was acted upon, well or not; lower or equal ones are passed over. */
  sequence: z.number().int(),
  /** What serves: the last manifest that passed the gate. */
  manifest: manifestSchema,
  /** The signed release under what was pushed, where that serves. */
  base: manifestSchema.optional(),
  /** A release that has begun: what is still here when the agent starts was interrupted. */
  underway: z
    .object({
      manifest: manifestSchema,
      /** Whether requests may go to it already. */
      switched: z.boolean(),
      /** How often the agent has begun with it. */
      tries: z.number().int(),
    })
    .optional(),
});

/** What a host remembers of its releases. It exists from the first good verdict on. */
export type ReleaseRecord = z.infer<typeof recordSchema>;

export async function readReleaseRecord(paths: GuestPaths): Promise<ReleaseRecord | undefined> {
  const text = await readTextIfExists(paths.release);
  return text === undefined ? undefined : recordSchema.parse(JSON.parse(text));
}

export async function writeReleaseRecord(
  paths: GuestPaths,
  record: Omit<ReleaseRecord, "schemaVersion">,
): Promise<void> {
  await writeFileAtomic(paths.release, `${JSON.stringify({ schemaVersion: 1, ...record })}\n`, 0o644);
}
