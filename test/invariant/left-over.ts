import { guestPaths } from "../../src/guest/paths.ts";
import { loadedVersions, registrySchema } from "../../src/serving/models/registry.ts";
import type { Stage } from "./stage.ts";

const paths = guestPaths("");

/**
 * What a release left that it should not have, in words: on the host, in the stack's store, or of its locks. What is published must be what
 * serves, or a host that boots later would not find it.
 * @param before the packages that were on the host before the release: of them it may keep what served
 */
export async function leftOver(stage: Stage, before: readonly string[]): Promise<string[]> {
  const read = (path: string) => stage.guest.inGuest("cat", path);
  const problems: string[] = [];
  const { serves, last } = await stage.status();
  if (last.result === "broken") problems.push(`release ${last.sequence} is broken: ${last.failure?.reason}`);

  const registry = registrySchema.parse(JSON.parse(await read(`${paths.models}/registry.json`)));
  const loaded = loadedVersions(registry);
  const isServing = loaded.length === 1 && loaded[0]?.live && loaded[0].digest === serves.model.digest;
  if (!isServing) problems.push(`the registry has in memory: ${JSON.stringify(loaded)}`);
  if (Object.values(registry.models).some(({ trial }) => trial)) problems.push("the registry has a trial");

  const serving = serves.model.digest.slice("sha256:".length);
  for (const name of await packagesOf(stage)) {
    if (name !== serving && !before.includes(name)) problems.push(`the models' folder has ${name}`);
  }

  const record = JSON.parse(await read(paths.release)) as { underway?: unknown };
  if (record.underway !== undefined) problems.push("a release is under way in the host's record");
  const published = await stage.published();
  if (published.models[0]?.digest !== serves.model.digest || published.trial !== undefined) {
    problems.push(`release ${published.sequence} is published, and another model serves`);
  }
  const { result } = await stage.slipway.run(["lock", "status", "production"]);
  if (result.local !== null || result.shared !== null) problems.push(`a lock is left: ${JSON.stringify(result)}`);
  return [...problems, ...(await stage.unsteady())];
}

/** The packages of models on the host, half ones included. */
export async function packagesOf({ guest }: Stage): Promise<string[]> {
  return (await guest.inGuest("ls", paths.models)).split("\n").filter((name) => /^[0-9a-f]{64}/.test(name));
}
