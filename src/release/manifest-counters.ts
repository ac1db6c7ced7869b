import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { readTextIfExists, writeFileAtomic } from "../common/files.ts";
import type { Manifest } from "../guest/manifest.ts";

const countersSchema = z.object({
  schemaVersion: z.literal(1),
  /** Of the last manifest. */
  sequence: z.number().int().nonnegative(),
  /** By model name: the last version, and whose digest it is. */
  models: z.record(z.string(), z.object({ version: z.string(), digest: z.string() })),
});

/** How far a stack's numbers have come: `counters.json` in the stack's home. */
export type Counters = z.infer<typeof countersSchema>;

/** What a manifest says apart from its numbers. */
export interface Release {
  payload: Manifest["payload"];
  model: Pick<Manifest["models"][number], "path" | "digest" | "size">;
  settings: Manifest["settings"];
}

export async function readCounters(home: string): Promise<Counters> {
  const text = await readTextIfExists(join(home, "counters.json"));
  return text === undefined ? { schemaVersion: 1, sequence: 0, models: {} } : countersSchema.parse(JSON.parse(text));
}

export async function writeCounters(home: string, counters: Counters): Promise<void> {
  await writeFileAtomic(join(home, "counters.json"), `${JSON.stringify(counters, null, 2)}\n`);
}

/** The counters after a manifest: it may be further than they are, when another machine published it. */
export function caughtUp(counters: Counters, manifest: Manifest): Counters {
  const models = { ...counters.models };
  for (const { name, version, digest } of manifest.models) {
    if (Number(version) >= Number(models[name]?.version ?? 0)) models[name] = { version, digest };
  }
  return { schemaVersion: 1, sequence: Math.max(counters.sequence, manifest.sequence), models };
}

/** The manifest that follows: a sequence of its own, and for a model with another digest than that name's last a new version. */
export function nextManifest(counters: Counters, stack: string, name: string, release: Release): Manifest {
  const { payload, model, settings } = release;
  const last = counters.models[name];
  const version = last?.digest === model.digest ? last.version : String(Number(last?.version ?? 0) + 1);
  return {
    schemaVersion: 1,
    stack,
    sequence: counters.sequence + 1,
    payload,
    models: [{ name, version, ...model }],
    settings,
  };
}

/** Whether a manifest says just this. */
export function isRelease(manifest: Manifest, name: string, { payload, model, settings }: Release): boolean {
  const [first, ...others] = manifest.models;
  return (
    others.length === 0 &&
    first?.name === name &&
    first.digest === model.digest &&
    manifest.payload.digest === payload.digest &&
    isDeepStrictEqual(manifest.settings, settings)
  );
}
