import { rm } from "node:fs/promises";
import { join } from "node:path";
import { hexOf } from "../common/digest.ts";
import { namesIn } from "../common/files.ts";
import { digestsIn, retainDigests } from "../serving/models/registry.ts";
import { updateRegistry } from "../serving/models/registry-file.ts";
import { keyFileName } from "./certificates.ts";
import type { Manifest } from "./manifest.ts";
import type { GuestPaths } from "./paths.ts";
import { lineupOf } from "./releasing/lineup.ts";

const digestName = /^[0-9a-f]{64}(?:\..*)?$/;

/**
 * Removes payloads, layers and keys that none of these releases needs, models that besides are in no memory, and what an interrupted
 * fetch left of any.
 */
export async function prune(paths: GuestPaths, releases: Manifest[]): Promise<void> {
  const kept = (digests: Manifest["payload"]["digest"][]) => new Set(digests.map(hexOf));
  const released = releases.flatMap((release) => [
    ...release.models.map(({ digest }) => digest),
    ...lineupOf(release).map(({ model }) => model.digest),
  ]);
  const registry = await updateRegistry(paths.models, (registry) => retainDigests(registry, new Set(released)));
  const keep: [string, Set<string>][] = [
    [paths.models, kept([...released, ...digestsIn(registry)])],
    [paths.payloads, kept(releases.map(({ payload }) => payload.digest))],
    [
      paths.keys,
      new Set(releases.flatMap(({ settings: { aiengine } }) => (aiengine ? [keyFileName(aiengine.cert)] : []))),
    ],
    [paths.layers, kept(releases.flatMap(({ payload }) => [payload.runtime.digest, payload.app.digest]))],
  ];
  for (const [folder, names] of keep) {
    for (const name of await namesIn(folder)) {
      if (digestName.test(name) && !names.has(name)) await rm(join(folder, name), { recursive: true, force: true });
    }
  }
}
