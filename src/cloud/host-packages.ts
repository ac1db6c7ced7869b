import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { messageOf, SlipwayError } from "../common/errors.ts";
import { run } from "../common/process.ts";

/** A package of this machine's distribution (Debian and Ubuntu name them alike). */
export interface HostPackage {
  name: string;
  /** What for, as a user is told before it is installed. */
  reason: string;
  /** The command that tells whether it is there. */
  command: string;
}

/** What real guests need. */
const guestPackages: readonly HostPackage[] = [
  { name: "mmdebstrap", command: "mmdebstrap", reason: "builds the guest image from Debian packages" },
  { name: "systemd-container", command: "systemd-nspawn", reason: "runs the guests" },
  { name: "nftables", command: "nft", reason: "security groups and floating IPs" },
  { name: "iproute2", command: "ip", reason: "network namespaces and links" },
  { name: "conntrack", command: "conntrack", reason: "ends connections that a removed rule had let in" },
  { name: "haproxy", command: "haproxy", reason: "load balancers" },
  { name: "radvd", command: "radvd", reason: "router advertisements of IPv6" },
  { name: "dnsmasq-base", command: "dnsmasq", reason: "DHCPv6" },
  { name: "procps", command: "sysctl", reason: "settings of network namespaces" },
  { name: "util-linux", command: "nsenter", reason: "enters the guests' namespaces" },
  { name: "zstd", command: "zstd", reason: "packs images and payload layers" },
];

/** System folders are searched as well: a user's PATH may lack /usr/sbin. */
const searchPath = (env: NodeJS.ProcessEnv) => [
  ...(env.PATH ?? "").split(delimiter),
  "/usr/local/sbin",
  "/usr/sbin",
  "/sbin",
];

/** The packages that are missing, by default for real guests; asks for commands, not for a package manager's opinion. */
export async function missingHostPackages(
  packages = guestPackages,
  env: NodeJS.ProcessEnv = process.env,
): Promise<HostPackage[]> {
  const found = await Promise.all(packages.map(({ command }) => findCommand(command, env)));
  return packages.filter((_, index) => found[index] === undefined);
}

/** Whether this machine has the package manager that {@link installHostPackages} uses. */
export async function canInstallPackages(env: NodeJS.ProcessEnv = process.env): Promise<boolean> {
  return (await findCommand("apt-get", env)) !== undefined;
}

/** Where a command of this machine is. */
export async function findCommand(command: string, env: NodeJS.ProcessEnv = process.env): Promise<string | undefined> {
  for (const path of searchPath(env).map((folder) => join(folder, command))) {
    const there = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (there) return path;
  }
  return undefined;
}

/**
 * Installs packages with this machine's apt, after saying which and why.
 * @throws SlipwayError E_HOST_PACKAGES with apt's last lines
 */
export async function installHostPackages(
  packages: readonly HostPackage[],
  log: (line: string) => void,
): Promise<void> {
  if (packages.length === 0) return;
  const names = packages.map(({ name }) => name);
  log("installing packages with apt-get:");
  for (const { name, reason } of packages) log(`  ${name}: ${reason}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" };
  const apt = (...args: string[]) =>
    run("apt-get", ["-q", "-y", "-o", "DPkg::Lock::Timeout=120", ...args], { env, timeoutMs: 600_000 });
  try {
    await apt("update");
    await apt("install", "--no-install-recommends", ...names);
  } catch (error) {
    throw new SlipwayError("E_HOST_PACKAGES", `apt-get could not install ${names.join(", ")}`, {
      hint: `Run \`apt-get install ${names.join(" ")}\` as root; or start the cloud with --hypervisor fake, which boots nothing.`,
      details: messageOf(error).split("\n").slice(-10),
      cause: error,
    });
  }
}
