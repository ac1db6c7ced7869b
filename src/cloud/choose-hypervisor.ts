import { readTextIfExists } from "../common/files.ts";
import { type DaemonInfo, daemonFiles, demandSame, type HypervisorChoice } from "./daemon-info.ts";
import { guestObstacles, guestsRefused, reasonOf } from "./hypervisors/nspawn/probe.ts";

/** The kind of guests that a cloud makes, and why that kind. */
export type ChosenHypervisor = Pick<DaemonInfo, "hypervisor" | "reason" | "remedies">;

/** What an earlier start of this cloud has chosen. A cloud keeps its kind of guests: its servers are of that kind. */
export async function keptHypervisor(stateDir: string): Promise<ChosenHypervisor | undefined> {
  const text = await readTextIfExists(daemonFiles(stateDir).hypervisor);
  return text === undefined ? undefined : (JSON.parse(text) as ChosenHypervisor);
}

/**
 * Decides which guests this cloud makes.
 * @throws SlipwayError E_HOST_PACKAGES where real guests are asked for and cannot run, E_UNSUPPORTED for another kind than the cloud's
 */
export async function chooseHypervisor(stateDir: string, wanted: HypervisorChoice): Promise<ChosenHypervisor> {
  const kept = await keptHypervisor(stateDir);
  if (kept !== undefined) demandSame(kept.hypervisor, wanted);
  const choice = kept?.hypervisor ?? wanted;
  if (choice === "fake") return kept ?? { hypervisor: "fake", reason: "asked for" };
  const obstacles = await guestObstacles(stateDir);
  if (obstacles.length === 0) {
    return { hypervisor: "nspawn", reason: "root, namespaces, nftables, overlay mounts, cgroups and nspawn work" };
  }
  if (choice === "nspawn") throw guestsRefused(obstacles);
  return { hypervisor: "fake", reason: reasonOf(obstacles), remedies: obstacles.map(({ remedy }) => remedy) };
}
