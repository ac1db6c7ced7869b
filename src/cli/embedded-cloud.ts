import { join } from "node:path";
import { keptHypervisor } from "../cloud/choose-hypervisor.ts";
import { editCloudsFile, withoutCloudEntries } from "../cloud/clouds-yaml.ts";
import { daemonStatus, destroyCloud, type StartOptions, startDaemon } from "../cloud/control.ts";
import type { DaemonInfo, EgressChoice, HypervisorChoice } from "../cloud/daemon-info.ts";
import { guestsRefused, lastingObstacles } from "../cloud/hypervisors/nspawn/probe.ts";
import { imageKinds, kindsWith } from "../cloud/images/kinds.ts";
import type { Leftover } from "../cloud/leftovers.ts";
import { SlipwayError } from "../common/errors.ts";
import { namesIn, pathExists } from "../common/files.ts";
import { slipwayHome, stackHome } from "../common/home.ts";
import { loadProject } from "../engine/embedded/project/project.ts";
import { readClouds } from "../openstack/clouds-file.ts";
import { forgetStack, readStackRecord } from "../release/stack-record.ts";
import { engineOf } from "./engine-choice.ts";
import type { CloudPlace } from "./named-clouds.ts";
import { prepareGuests, prepareMachines } from "./prepare-guests.ts";
import type { Reporter } from "./ui/reporter.ts";
import { backendUrl } from "./workspace.ts";

/**
 * The embedded cloud, answering: one that runs is left alone, else what it needs is installed and it is started.
 * @throws SlipwayError E_HOST_PACKAGES where real guests are asked for and cannot run; E_PORT_IN_USE, E_ADDRESS_RANGE
 */
export async function ensureEmbeddedCloud(
  place: CloudPlace,
  reporter: Reporter,
  options: {
    hypervisor: HypervisorChoice;
    containers?: boolean;
    port?: number | undefined;
    egress?: EgressChoice | undefined;
    /** The file's path, absolute. */
    vendordata?: string | undefined;
  },
): Promise<DaemonInfo> {
  const { hypervisor, containers = false, port, egress, vendordata } = options;
  const { stateDir, cloudsFile } = place;
  const { running } = await daemonStatus(stateDir);
  const kind = (await keptHypervisor(stateDir))?.hypervisor ?? hypervisor;
  if (!running && ![kind, hypervisor].includes("fake")) await ensureGuestsCanRun(stateDir, kind, containers, reporter);
  return reporter.phase("cloud", "embedded cloud", async ({ detail }) => {
    const info = await startDaemon({
      ...startOf(place),
      hypervisor,
      containers,
      ...(port === undefined ? {} : { port }),
      ...(egress === undefined ? {} : { egress }),
      ...(vendordata === undefined ? {} : { vendordata }),
    });
    detail(`${info.hypervisor} guests: ${info.reason}; its credentials are in ${cloudsFile}`);
    return info;
  });
}

/** What a start of a cloud needs to know that was started before. */
export function startOf({ stateDir, projectRoot, cloudsFile, entry }: CloudPlace): StartOptions {
  return { stateDir, hypervisor: "auto", projectRoot, cloudsFile, entry };
}

/** Prepares this machine for real guests, unless they cannot run on it: then `auto` leaves it to the cloud to say so. */
async function ensureGuestsCanRun(
  stateDir: string,
  wanted: HypervisorChoice,
  containers: boolean,
  reporter: Reporter,
): Promise<void> {
  const obstacles = await lastingObstacles(stateDir);
  if (wanted === "qemu") return prepareMachines(reporter, obstacles.length === 0);
  if (obstacles.length === 0) {
    await prepareGuests(reporter, containers ? kindsWith(true) : await imageKinds(stateDir));
  }
  if (obstacles.length > 0 && wanted !== "auto") throw guestsRefused(obstacles);
}

/** What a cloud makes on a machine, in the order in which people look for it. */
const kinds: Leftover["kind"][] = ["namespace", "link", "mount", "loop", "cgroup", "process", "range", "egress"];

/**
 * Ends the embedded cloud with everything that it made on this machine, its entry among the clouds, and the state of the stacks
 * that lived in it.
 * @returns the proof, a line for each kind of thing: how many there were, how many there are
 * @throws SlipwayError E_LEFTOVERS
 */
export async function destroyEmbeddedCloud(place: CloudPlace, reporter: Reporter): Promise<string[]> {
  const { stateDir, cloudsFile, entry } = place;
  return reporter.phase("destroy-cloud", "embedded cloud removed", async () => {
    const { found, left } = await destroyCloud(stateDir);
    if (left.length > 0) {
      throw new SlipwayError(
        "E_LEFTOVERS",
        `the embedded cloud could not remove ${left.length} things from this machine`,
        {
          details: left.map(({ kind, name }) => `${kind} ${name}`),
          hint: "Run it again; what stays is in use by another process.",
        },
      );
    }
    await forgetStacksIn(place);
    if (await pathExists(cloudsFile)) {
      await editCloudsFile(cloudsFile, (text) => (text === undefined ? undefined : withoutCloudEntries(text, entry)));
    }
    const count = (list: Leftover[], kind: string) => list.filter((one) => one.kind === kind).length;
    return kinds.map((kind) => `${kind.padEnd(10)} ${count(found, kind)} removed, ${count(left, kind)} left`);
  });
}

/** Stacks end with their cloud: a state that lists what no longer exists would only stand in the way of the next `up`. */
export async function forgetStacksIn({ projectRoot, cloudsFile, entry }: CloudPlace): Promise<void> {
  const authUrl = (await readClouds(cloudsFile)).get(entry)?.auth?.auth_url;
  const { name: project } = await loadProject(projectRoot);
  const home = slipwayHome(projectRoot);
  for (const stack of await namesIn(join(home, "stacks"))) {
    const record = await readStackRecord(stackHome(projectRoot, stack));
    if (record === undefined || record.cloud.authUrl !== authUrl) continue;
    await engineOf(record.engine, []).forget({ project, stack, backendUrl: backendUrl(home) });
    await forgetStack(stackHome(projectRoot, stack));
  }
}
