import { SlipwayError } from "../common/errors.ts";
import { readTextIfExists } from "../common/files.ts";
import { type DaemonInfo, daemonFiles, demandSame, type HypervisorChoice } from "./daemon-info.ts";
import { probeMachine } from "./hypervisors/nspawn/probe.ts";

/** The kind of guests that a cloud makes, and why that kind. */
export type ChosenHypervisor = Pick<DaemonInfo, "hypervisor" | "reason">;

/**
 * Decides which guests this cloud makes. A cloud keeps the kind that it was first started with: its servers are of that kind.
 * @throws SlipwayError E_HOST_PACKAGES where real guests are asked for and cannot run, E_UNSUPPORTED for another kind than the cloud's
 */
export async function chooseHypervisor(stateDir: string, wanted: HypervisorChoice): Promise<ChosenHypervisor> {
  const text = await readTextIfExists(daemonFiles(stateDir).hypervisor);
  const kept = text === undefined ? undefined : (JSON.parse(text) as ChosenHypervisor);
  if (kept !== undefined) demandSame(kept.hypervisor, wanted);
  const choice = kept?.hypervisor ?? wanted;
  if (choice === "fake") return kept ?? { hypervisor: "fake", reason: "asked for" };
  const { usable, reason } = await probeMachine(stateDir);
  if (usable) return { hypervisor: "nspawn", reason };
  if (choice === "auto") return { hypervisor: "fake", reason };
  throw new SlipwayError("E_HOST_PACKAGES", `real guests cannot run on this machine: ${reason}`);
}
