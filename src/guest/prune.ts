import { rm } from "node:fs/promises";
import { join } from "node:path";
import { hexOf } from "../common/digest.ts";
import { namesIn } from "../common/files.ts";
import type { Manifest } from "./manifest.ts";
import type { GuestPaths } from "./paths.ts";

const digestName = /^[0-9a-f]{64}(?:\..*)?$/;

/** Removes models, payloads and layers that none of these releases names, and what an interrupted fetch left of them. */
export async function prune(paths: GuestPaths, releases: Manifest[]): Promise<void> {
  const kept = (digests: Manifest["payload"]["digest"][]) => new Set(digests.map(hexOf));
  const keep: [string, Set<string>][] = [
    [paths.models, kept(releases.flatMap(({ models }) => models.map(({ digest }) => digest)))],
    [paths.payloads, kept(releases.map(({ payload }) => payload.digest))],
    [paths.layers, kept(releases.flatMap(({ payload }) => [payload.runtime.digest, payload.app.digest]))],
  ];
  for (const [folder, names] of keep) {
    for (const name of await namesIn(folder)) {
      if (digestName.test(name) && !names.has(name)) await rm(join(folder, name), { recursive: true, force: true });
    }
  }
}
