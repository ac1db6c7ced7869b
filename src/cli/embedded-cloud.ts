import { join } from "node:path";
import { daemonStatus, destroyCloud, startDaemon } from "../cloud/control.ts";
import type { DaemonInfo, HypervisorChoice } from "../cloud/daemon-info.ts";
import { SlipwayError } from "../common/errors.ts";
import { slipwayHome } from "../common/home.ts";
import { guestsImpossible, prepareGuests } from "./prepare-guests.ts";
import type { Reporter } from "./ui/reporter.ts";
import { embeddedCloudsFile } from "./workspace.ts";

/** Where the embedded cloud of a Slipway home keeps its state. */
export function cloudFolder(home: string): string {
  return join(home, "cloud");
}

/**
 * The embedded cloud, answering: one that runs is left alone, else what it needs is installed and it is started.
 * @throws SlipwayError E_HOST_PACKAGES where real guests are asked for and cannot run; E_PORT_IN_USE, E_ADDRESS_RANGE
 */
export async function ensureEmbeddedCloud(
  projectRoot: string,
  reporter: Reporter,
  options: { hypervisor: HypervisorChoice; port?: number | undefined },
): Promise<DaemonInfo> {
  const { port } = options;
  const home = slipwayHome(projectRoot);
  const stateDir = cloudFolder(home);
  const running = await daemonStatus(stateDir);
  const hypervisor = running.running ? options.hypervisor : await possible(options.hypervisor, reporter);
  return reporter.phase("cloud", "embedded cloud", async ({ detail }) => {
    const cloudsFile = embeddedCloudsFile(home);
    const info = await startDaemon({
      stateDir,
      hypervisor,
      projectRoot,
      cloudsFile,
      ...(port === undefined ? {} : { port }),
    });
    detail(`${info.hypervisor} guests: ${info.reason}; its credentials are in ${cloudsFile}`);
    return info;
  });
}

/** Prepares this machine for the guests that are asked for. */
async function possible(wanted: HypervisorChoice, reporter: Reporter): Promise<HypervisorChoice> {
  if (wanted === "fake") return wanted;
  const impossible = guestsImpossible();
  if (impossible === undefined) {
    await prepareGuests(reporter);
    return wanted;
  }
  if (wanted === "auto") return wanted;
  throw new SlipwayError("E_HOST_PACKAGES", `real guests cannot run here: ${impossible}`, {
    hint: "run it as root on a Debian or Ubuntu machine, or use a real cloud with --os-cloud",
  });
}

/**
 * Ends the embedded cloud with everything that it made on this machine.
 * @returns what was looked for and not found, a line each
 * @throws SlipwayError E_LEFTOVERS
 */
export async function destroyEmbeddedCloud(stateDir: string, reporter: Reporter): Promise<string[]> {
  return reporter.phase("destroy-cloud", "embedded cloud removed", async () => {
    const left = await destroyCloud(stateDir);
    if (left.length > 0) {
      throw new SlipwayError(
        "E_LEFTOVERS",
        `the embedded cloud could not remove ${left.length} things from this machine`,
        {
          details: left.map(({ kind, name }) => `${kind} ${name}`),
          hint: "run it again; what stays is in use by another process",
        },
      );
    }
    return [
      "servers, ports, floating IPs, volumes: none, their cloud is gone",
      "namespaces, links, mounts, cgroups, processes: none",
    ];
  });
}
