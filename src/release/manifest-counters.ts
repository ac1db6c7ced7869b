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

/** A model's file as a manifest names it, before it has a version. */
export type ModelFile = Pick<Manifest["models"][number], "name" | "path" | "digest" | "size">;

/** What a manifest says of what hosts shall run. */
export type Content = Pick<Manifest, "payload" | "models" | "trial" | "settings">;

/** Who publishes a manifest and what its hosts ask of it. */
export type Terms = Pick<Manifest, "origin" | "gate">;

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
  for (const { name, version, digest } of modelsOf(manifest)) {
    if (Number(version) >= Number(models[name]?.version ?? 0)) models[name] = { version, digest };
  }
  return { schemaVersion: 1, sequence: Math.max(counters.sequence, manifest.sequence), models };
}

/**
 * The model with its version: that under which hosts have it already, live or on trial; else for another digest than that name's last a new
 * one.
 */
export function versioned(
  { models }: Counters,
  model: ModelFile,
  followed: Pick<Content, "models" | "trial"> | undefined,
): Manifest["models"][number] {
  const known =
    followed && modelsOf(followed).find(({ name, digest }) => name === model.name && digest === model.digest);
  if (known) return { ...model, version: known.version };
  const last = models[model.name];
  const version = last?.digest === model.digest ? last.version : String(Number(last?.version ?? 0) + 1);
  return { ...model, version };
}

/** The manifest that follows, under a sequence of its own. */
export function nextManifest(counters: Counters, stack: string, content: Content, terms: Terms): Manifest {
  const { payload, models, trial, settings } = content;
  return {
    schemaVersion: 1,
    stack,
    sequence: counters.sequence + 1,
    payload,
    models,
    settings,
    ...(trial === undefined ? {} : { trial }),
    ...terms,
  };
}

/** All models of a manifest, the one on trial among them. */
export function modelsOf({ models, trial }: Pick<Content, "models" | "trial">): Manifest["models"] {
  return trial === undefined ? models : [...models, trial.model];
}

/** Whether hosts would run the same by either. */
export function runsTheSame(one: Content, other: Content): boolean {
  return essence(one) === essence(other) && isDeepStrictEqual(one.settings, other.settings);
}

function essence({ payload, models, trial }: Content): string {
  const named = models.map(({ name, digest }) => [name, digest]);
  return JSON.stringify([payload.digest, named, trial?.model.digest, trial?.traffic.mode, trial?.traffic.percent]);
}
