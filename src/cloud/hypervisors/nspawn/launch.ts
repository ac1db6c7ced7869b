/** Where and how one guest is started. */
export interface Launch {
  /** Machine name; carried in the process list. */
  name: string;
  /** Mounted root tree. */
  root: string;
  /** The machine's CPUs that the guest runs on. */
  cpus: number[];
  /** Handle of the network namespace that the guest lives in. */
  netns: string;
  /** `cgroup.procs` files that the guest's first process joins, one per hierarchy; empty where systemd makes the group. */
  cgroupProcs: string[];
  /** The folder of the guest's volumes. */
  disks: string;
  /** The guest's folder in the unified hierarchy. */
  unifiedCgroup: string;
  /** Folders of the machine that the guest has, as nspawn's `--bind` takes them. */
  binds: string[];
  /** Put before the command line on systemd hosts: `systemd-run --scope …`. */
  wrapper: string[];
  /** The supervisor writes the id of the running nspawn here, */
  pidFile: string;
  /** and its exit status here when the guest ended for good. */
  exitFile: string;
}

/**
 * The guest's command line. Entering the network namespace first is what gives the guest its own /sys/class/net; `ip netns exec` would hide
 * the cgroups, nspawn's own options show the machine's NICs. `--resolv-conf=off`: else the machine's resolver is copied into the guest.
 * `--console=read-only`: a terminal inside, everything written to it on our standard output.
 */
export function nspawnCommand({ name, root, cpus, netns, binds, wrapper }: Launch): string[] {
  return [
    ...wrapper,
    "nsenter",
    `--net=${netns}`,
    "systemd-nspawn",
    "--quiet",
    `--directory=${root}`,
    `--machine=${name}`,
    "--register=no",
    "--keep-unit",
    "--boot",
    `--cpu-affinity=${cpus.join(",")}`,
    "--capability=CAP_NET_ADMIN",
    "--console=read-only",
    "--resolv-conf=off",
    ...binds.map((bind) => `--bind=${bind}`),
  ];
}

/** Environment of nspawn: a cgroup v2 tree for the guest, and its own /proc/sys/net writable (ip_forward, podman, keepalived). */
export const nspawnEnvironment = {
  SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1",
  SYSTEMD_NSPAWN_API_VFS_WRITABLE: "network",
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
};

/** nspawn's exit status when the guest rebooted. */
const rebootStatus = 133;

/**
 * Keeps one guest running, apart from the daemon: starts it again after a reboot from inside, and when nspawn itself was killed ends what
 * that leaves behind. A shell, since it has to outlive whatever started it and do nothing else. An empty group is not killed: a group that
 * ever was counts on, and newer kernels kill what systemd then starts in groups of another count (CLONE_INTO_CGROUP).
 * A scope is made anew with each start, and so is told what loop devices the guest's volumes have by then.
 * Arguments: pid file, exit file, unified cgroup, folder of volumes, number of cgroup.procs files, those files, the guest's command line.
 */
const supervisor = `pid_file=$1 exit_file=$2 cgroup=$3 disks=$4 joins=$5; shift 5
allowed() {
  for disk in "$disks"/*; do losetup --noheadings --output NAME --associated "$disk"; done | sed 's|^|--property=DeviceAllow=|'
}
join() {
  n=$joins; while [ "$n" -gt 0 ]; do echo 0 > "$1" || exit 125; shift; n=$((n - 1)); done
  [ "$1" != systemd-run ] || { shift; set -- systemd-run $(allowed) "$@"; }
  exec "$@"
}
while :; do
  join "$@" &
  child=$!
  echo "$child" > "$pid_file"
  wait "$child"; status=$?
  grep -qs 'populated 1' "$cgroup/cgroup.events" && echo 1 > "$cgroup/cgroup.kill"
  [ "$status" -eq ${rebootStatus} ] || break
done
rm -f "$pid_file"
echo "$status" > "$exit_file"
`;

/** The supervisor's command line: what to spawn, detached, for a guest. */
export function supervisorCommand(launch: Launch): string[] {
  const { pidFile, exitFile, unifiedCgroup, disks, cgroupProcs } = launch;
  const joins = [String(cgroupProcs.length), ...cgroupProcs];
  return [
    "sh",
    "-c",
    supervisor,
    `${launch.name}-supervisor`,
    pidFile,
    exitFile,
    unifiedCgroup,
    disks,
    ...joins,
    ...nspawnCommand(launch),
  ];
}
