import { SlipwayError } from "../common/errors.ts";
import { readTextIfExists } from "../common/files.ts";
import { type DaemonInfo, daemonFiles, demandSame, type HypervisorChoice } from "./daemon-info.ts";
import type { Obstacle } from "./hypervisors/nspawn/obstacles.ts";
import { guestObstacles, guestsRefused, reasonOf } from "./hypervisors/nspawn/probe.ts";
import { findQemu, type QemuFound } from "./hypervisors/qemu/probe.ts";

/** The kind of guests that a cloud makes, and why that kind. */
export type ChosenHypervisor = Pick<DaemonInfo, "hypervisor" | "reason" | "remedies" | "accelerator" | "network">;

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
  if (choice === "qemu") return virtualMachines(await findQemu(stateDir), networkOf(kept, obstacles));
  if (obstacles.length === 0) {
    return { hypervisor: "nspawn", reason: "root, namespaces, nftables, overlay mounts, cgroups and nspawn work" };
  }
  if (choice === "nspawn") throw guestsRefused(obstacles);
  const inTheWay = reasonOf(obstacles);
  const remedies = obstacles.map(({ remedy }) => remedy);
  const found = await findQemu(stateDir);
  if ("accelerator" in found && found.slow === undefined) {
    const { reason, ...chosen } = virtualMachines(found, "user");
    return { ...chosen, reason: `${reason}; no containers: ${inTheWay}` };
  }
  const missing = "obstacle" in found ? found.obstacle.what : found.slow;
  const other =
    "obstacle" in found
      ? found.obstacle.remedy
      : "Or take virtual machines by software, which boot in minutes: --hypervisor qemu.";
  return {
    hypervisor: "fake",
    reason: `${inTheWay}; nor virtual machines at speed: ${missing}`,
    remedies: [...remedies, other],
  };
}

/**
 * Virtual machines have the networks of containers where those could run, for good: floating IPs are of another range in either.
 * @throws SlipwayError E_HOST_PACKAGES where the cloud has such networks and they cannot be made here any more
 */
function networkOf(kept: ChosenHypervisor | undefined, obstacles: Obstacle[]): "namespaces" | "user" {
  const network = kept === undefined ? (obstacles.length === 0 ? "namespaces" : "user") : (kept.network ?? "user");
  if (network === "namespaces" && obstacles.length > 0) throw guestsRefused(obstacles);
  return network;
}

/** @throws SlipwayError E_HOST_PACKAGES where QEMU boots nothing here */
function virtualMachines(found: QemuFound, network: "namespaces" | "user"): ChosenHypervisor {
  if ("obstacle" in found) {
    const { what, remedy } = found.obstacle;
    throw new SlipwayError("E_HOST_PACKAGES", `virtual machines cannot run here: ${what}`, { hint: remedy });
  }
  const { accelerator, slow } = found;
  const boots =
    slow === undefined
      ? `a guest boots with ${accelerator.toUpperCase()}`
      : `a guest boots by software emulation, ${slow}`;
  const plugged =
    network === "namespaces" ? "plugged into networks of this machine's" : "each with QEMU's own network in user mode";
  return { hypervisor: "qemu", accelerator, network, reason: `${boots}; ${plugged}` };
}
