import type { ServiceDescription } from "../service-description.ts";
import { SERVICE_USER, type ServingService } from "../unit-names.ts";
import { PODMAN } from "./engine.ts";
import { type ContainerPlan, NETWORK } from "./plan.ts";

/** Until a service that says nothing of it is killed. */
const STOP_S = 15;
/** That Podman itself needs to end a container. */
const STOP_MARGIN_S = 10;

/**
 * The lines of a unit that runs a service in a container. The unit is what it is without: its sockets are the service's, its processes are in
 * its group (`--cgroups=disabled`), so that limits, kills and counts of restarts are systemd's; conmon stands for the container.
 */
export function containerLines(
  service: ServingService,
  described: ServiceDescription,
  { image, network }: ContainerPlan,
): string[] {
  const { command, environment, sockets, memoryPercent, stopS = STOP_S } = described;
  const name = service === "queue" ? "slipway-queue" : `slipway-${service}-%i`;
  const podman = [PODMAN, "--log-level=error", "--events-backend=none"];
  const remove = [...podman, "rm", "--force", "--ignore", "--volumes"];
  const run = [
    ...podman,
    ...["run", `--name=${name}`, "--replace", "--rm", "--detach", "--pull=never", "--sdnotify=conmon"],
    ...["--cgroups=disabled", "--pids-limit=-1", "--ulimit=host", "--log-driver=passthrough", "--uts=host"],
    ...["--read-only", `--user=${SERVICE_USER}`, "--cap-drop=all", "--security-opt=no-new-privileges"],
    ...networkOf(service, described, network.queueAddress),
    ...volumesOf(described).map((volume) => `--volume=${volume}`),
    ...Object.entries(environment).map(([variable, value]) => `--env=${variable}=${value}`),
    ...(memoryPercent === undefined ? [] : ["--oom-score-adj=500"]),
    image,
    ...command,
  ];
  return [
    "Type=notify",
    "NotifyAccess=all",
    ...foldersOf(described).map((command) => `ExecStartPre=${command.join(" ")}`),
    `ExecStart=${run.join(" ")}`,
    `ExecStop=${[...remove, `--time=${stopS}`, name].join(" ")}`,
    `ExecStopPost=-${[...remove, "--time=0", name].join(" ")}`,
    "KillMode=mixed",
    `TimeoutStopSec=${stopS + STOP_MARGIN_S}`,
    ...(sockets.length > 0 ? [`Sockets=${sockets.join(" ")}`] : []),
    ...(described.network === "queue" ? ["IPAddressDeny=any", `IPAddressAllow=localhost ${network.subnet}`] : []),
    ...(memoryPercent === undefined ? [] : [`MemoryMax=${memoryPercent}%`, "OOMScoreAdjust=500"]),
  ];
}

function networkOf(service: ServingService, { network }: ServiceDescription, queueAddress: string): string[] {
  if (network === "none") return ["--network=none"];
  return [`--network=${NETWORK}`, ...(service === "queue" ? [`--ip=${queueAddress}`] : [])];
}

/** What a container sees of the host, as `source:target:options`: the same paths as outside. */
export function volumesOf({ runtimeFolder, stateFolders, changes, reads }: ServiceDescription): string[] {
  const own = [...stateFolders.map(stateFolder), ...(runtimeFolder === undefined ? [] : [`/run/${runtimeFolder}`])];
  return [...reads.map((path) => `${path}:${path}:ro`), ...[...own, ...changes].map((path) => `${path}:${path}`)];
}

/** The commands that make the folders which have to be there before. */
function foldersOf({ runtimeFolder, stateFolders, stateMode, reads }: ServiceDescription): string[][] {
  const owner = ["-o", SERVICE_USER, "-g", SERVICE_USER];
  const owned = (mode: string, folders: string[]) => ["/usr/bin/install", "-d", ...owner, "-m", mode, ...folders];
  const others = reads.filter((path) => path.startsWith("/run/"));
  return [
    // as whose they are has made them, if it has
    ...(others.length > 0 ? [["/usr/bin/mkdir", "-p", ...others]] : []),
    ...(stateFolders.length > 0 ? [owned(stateMode, stateFolders.map(stateFolder))] : []),
    ...(runtimeFolder === undefined ? [] : [owned("0750", [`/run/${runtimeFolder}`])]),
  ];
}

const stateFolder = (name: string) => `/var/lib/${name}`;
