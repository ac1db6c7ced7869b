import { basename } from "node:path";
import { updateRegistry } from "../../serving/models/registry-file.ts";
import { switchModels } from "../exchange.ts";
import type { Host } from "../host.ts";
import type { Manifest, Model } from "../manifest.ts";
import { runtimeUnit } from "../unit-names.ts";
import { lineupOf, withLineup, withoutModels } from "./lineup.ts";
import type { OwnFrontend } from "./own-frontend.ts";

/** What is in memory is switched to at once; a runtime that does not answer is busy with a model that never gets ready. */
const SWITCH_MS = 5000;

/** How versions are switched to. */
interface Switching {
  forgotten?: readonly Model[];
  guarded?: (work: () => Promise<void>) => Promise<void>;
}

/**
 * From now on the manifest's versions answer as it says: told to all runtimes, and confirmed by every process of the frontend. Those that
 * answered before stay in memory.
 * @param how `forgotten`: models that are in no memory afterwards, however far they had come. `guarded`: does what waits for runtimes, and
 * may give it up
 * @throws Error naming what does not
 */
export async function switchTo(
  host: Host,
  frontend: OwnFrontend,
  manifest: Manifest,
  { forgotten = [], guarded = (work) => work() }: Switching = {},
): Promise<void> {
  // in one step: a runtime that starts anew meanwhile must not meet what took it down
  await updateRegistry(host.paths.models, (registry) => withoutModels(withLineup(registry, manifest), forgotten));
  await guarded(async () => {
    await exchange(host);
    await frontend.untilServing(lineupOf(manifest));
  });
}

/** Has the runtimes forget these models; the registry still lists them. */
export async function letGo(host: Host, models: readonly Model[]): Promise<void> {
  if (models.length === 0) return;
  await updateRegistry(host.paths.models, (registry) => withoutModels(registry, models));
  await exchange(host);
}

/** A runtime that is stuck is started anew while another one answers. Throws where none does. */
async function exchange(host: Host): Promise<void> {
  const { switched, late } = await switchModels(host, SWITCH_MS);
  if (late.length > 1 && switched.length === 0) throw new Error(`none of ${late.length} runtimes switches its models`);
  for (const socket of late) {
    await host.run("systemctl", ["restart", runtimeUnit(basename(socket, ".sock"))]);
  }
}
