import { spawn } from "node:child_process";
import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathExists } from "../../src/common/files.ts";
import { run } from "../../src/common/process.ts";

/** What a bare guest is made of. */
export interface BareParts {
  /** Of this guest alone. */
  folder: string;
  /** Names its network namespaces, its control group and itself on this machine. */
  name: string;
  /** The image's tree. */
  rootfs: string;
  /** The config drive of a guest of the cloud. */
  drive: string;
}

/** A guest that was started. */
export interface StartedGuest {
  /** When, as `performance.now()` tells it. */
  begun: number;
  consoleFile: string;
  end(): Promise<void>;
}

/** Where cloud-init finds a config drive in a guest's tree. */
export const driveInTree = "var/lib/cloud/seed/config_drive";

/** The hierarchy of control groups that tells what CPU each group took: v2's, wherever it is mounted. */
export async function groupsFolder(): Promise<string> {
  const besideV1 = "/sys/fs/cgroup/unified";
  return (await pathExists(besideV1)) ? besideV1 : "/sys/fs/cgroup";
}

/**
 * Makes what a bare guest needs: an overlay of the image, the config drive that a guest of the cloud had, a NIC like that one's.
 * @returns what boots it: systemd-nspawn, with no limits and nothing else of ours
 */
export async function prepareBare({ folder, name, rootfs, drive }: BareParts): Promise<() => Promise<StartedGuest>> {
  const path = (part: string) => join(folder, part);
  for (const part of ["up", "work", "root"]) await mkdir(path(part), { recursive: true });
  const overlay = `lowerdir=${rootfs},upperdir=${path("up")},workdir=${path("work")}`;
  await run("mount", ["-t", "overlay", "overlay", "-o", overlay, path("root")]);
  await mkdir(join(path("root"), dirname(driveInTree)), { recursive: true });
  await run("cp", ["--archive", drive, join(path("root"), driveInTree)]);
  await makeNic(name, drive);
  const group = join(await groupsFolder(), name);
  await mkdir(group);
  const consoleFile = path("console");
  const options = ["--register=no", "--keep-unit", "--boot", "--capability=CAP_NET_ADMIN", "--console=read-only"];
  const nspawn = ["systemd-nspawn", "--quiet", `--directory=${path("root")}`, `--machine=${name}`, ...options];
  const script = `echo 0 > ${group}/cgroup.procs; exec nsenter --net=/run/netns/${name} "$0" "$@" > ${consoleFile} 2>&1`;
  return async () => {
    const begun = performance.now();
    const guest = spawn("sh", ["-c", script, ...nspawn, "--resolv-conf=off"], {
      stdio: "ignore",
      env: { PATH: process.env.PATH, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1" },
    });
    const ended = new Promise((resolve) => guest.once("exit", resolve));
    const end = async () => {
      guest.kill("SIGKILL");
      await ended;
      await run("sh", ["-c", endScript, "end", group]);
      await run("umount", ["--lazy", path("root")]);
      for (const namespace of [name, `${name}-peer`]) await run("ip", ["netns", "delete", namespace]);
    };
    return { begun, consoleFile, end };
  };
}

/** Argument: the group. Its processes end a moment after they are told to. */
const endScript = `echo 1 > "$1/cgroup.kill"
for try in $(seq 100); do
  find /sys/fs/cgroup/*/"\${1##*/}" "$1" -depth -type d -exec rmdir {} + 2> /dev/null || :
  [ -n "$(ls -d "$1" /sys/fs/cgroup/*/"\${1##*/}" 2> /dev/null)" ] || exit 0
  sleep 0.1
done
echo "$1 does not end" >&2; exit 1
`;

/**
 * The NIC that the drive tells of, its other end up in a namespace beside. Looking for duplicates of the link's IPv6 address is off, as for
 * guests of the cloud: else networkd waits 1.5 s for the end of it, whatever the machine does.
 */
async function makeNic(name: string, drive: string): Promise<void> {
  const [link] = JSON.parse(await readFile(join(drive, "openstack/latest/network_data.json"), "utf8")).links;
  const peer = `${name}-peer`;
  for (const namespace of [name, peer]) await run("ip", ["netns", "add", namespace]);
  const noDad = ["all.accept_dad=0", "default.accept_dad=0", "default.dad_transmits=0"];
  const settings = noDad.map((setting) => `net.ipv6.conf.${setting}`);
  await run("nsenter", [`--net=/run/netns/${name}`, "sysctl", "--quiet", "--ignore", "--write", ...settings]);
  const nic = ["ens3", "address", link.ethernet_mac_address, "mtu", String(link.mtu)];
  await run("ip", ["-n", name, "link", "add", ...nic, "type", "veth", "peer", "name", "tap", "netns", peer]);
  await run("ip", ["-n", peer, "link", "set", "tap", "up"]);
}
