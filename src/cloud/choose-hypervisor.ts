import { SlipwayError } from "../common/errors.ts";
import { readTextIfExists } from "../common/files.ts";
import { type DaemonInfo, daemonFiles, type HypervisorChoice } from "./daemon-info.ts";
import { probeMachine } from "./hypervisors/nspawn/probe.ts";

/**
 * Decides which guests this cloud makes. A cloud keeps the kind that it was first started with: its servers are of that kind.
 * @throws SlipwayError E_HOST_PACKAGES where real guests are asked for and cannot run, E_UNSUPPORTED for another kind than the cloud's
 */
export async function chooseHypervisor(
  stateDir: string,
  wanted: HypervisorChoice,
): Promise<Pick<DaemonInfo, "hypervisor" | "reason">> {
  const kept = (await readTextIfExists(daemonFiles(stateDir).hypervisor))?.trim();
  if (kept !== undefined && wanted !== "auto" && wanted !== kept) {
    throw new SlipwayError("E_UNSUPPORTED", `this cloud was made with ${kept} guests and cannot change to ${wanted}`, {
      hint: "Destroy it first, or keep its hypervisor.",
    });
  }
  const choice = kept === "nspawn" || kept === "fake" ? kept : wanted;
  if (choice === "fake") return { hypervisor: "fake", reason: "asked for" };
  const { usable, reason } = await probeMachine(stateDir);
  if (usable) return { hypervisor: "nspawn", reason };
  if (choice === "auto") return { hypervisor: "fake", reason };
  throw new SlipwayError("E_HOST_PACKAGES", `real guests cannot run on this machine: ${reason}`);
}
