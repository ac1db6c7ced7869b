import { lookup } from "node:dns/promises";
import { readdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readTextIfExists } from "../../../common/files.ts";
import { CommandError, run } from "../../../common/process.ts";
import { addressesInHostsFile, hostsInEnvironment, hostsInText, nameserversIn } from "./configured-names.ts";
import type { UsedRange } from "./external-range.ts";

const lookupTimeoutMs = 3000;

/** What `ip -j address` prints, as far as it is read. */
interface AddressRow {
  ifname: string;
  addr_info: { family: string; local: string; prefixlen: number }[];
}

interface RouteRow {
  dst: string;
  dev?: string;
}

/**
 * Every IPv4 range and address that this machine has, routes to, or is configured to talk to.
 * @param ownLink the link of the asking cloud itself, left out
 */
export async function rangesInUse(ownLink: string): Promise<UsedRange[]> {
  const [addresses, routes, names, fixed] = await Promise.all([
    localAddresses(ownLink),
    localRoutes(ownLink),
    configuredHosts(),
    configuredAddresses(),
  ]);
  const resolved = await Promise.all(names.map(addressesOf));
  return [...addresses, ...routes, ...fixed, ...resolved.flat()];
}

async function localAddresses(ownLink: string): Promise<UsedRange[]> {
  const { stdout } = await run("ip", ["-j", "-4", "address"]);
  return (JSON.parse(stdout) as AddressRow[])
    .filter((link) => link.ifname !== ownLink)
    .flatMap((link) =>
      link.addr_info.map((address) => ({
        cidr: `${address.local}/${address.prefixlen}`,
        origin: `address of ${link.ifname}`,
      })),
    );
}

async function localRoutes(ownLink: string): Promise<UsedRange[]> {
  const { stdout } = await run("ip", ["-j", "-4", "route", "show", "table", "all"]);
  return (JSON.parse(stdout) as RouteRow[])
    .filter((route) => route.dev !== ownLink && route.dst !== "default" && route.dst !== "0.0.0.0/0")
    .map((route) => ({ cidr: route.dst, origin: `route by ${route.dev ?? "a gateway"}` }));
}

async function configuredAddresses(): Promise<UsedRange[]> {
  const nameservers = nameserversIn((await readTextIfExists("/etc/resolv.conf")) ?? "");
  const hosts = addressesInHostsFile((await readTextIfExists("/etc/hosts")) ?? "");
  return [
    ...nameservers.map((cidr) => ({ cidr, origin: "name server" })),
    ...hosts.map((cidr) => ({ cidr, origin: "/etc/hosts" })),
  ];
}

/** Host names in the configuration of apt, npm, pip and proxies. */
async function configuredHosts(): Promise<string[]> {
  const home = homedir();
  const files = [
    "/etc/environment",
    "/etc/pip.conf",
    "/etc/npmrc",
    "/etc/apt/sources.list",
    ...(await filesIn("/etc/apt/sources.list.d")),
    ...(await filesIn("/etc/apt/apt.conf.d")),
    ...[".npmrc", ".pip/pip.conf", ".config/pip/pip.conf", ".wgetrc", ".curlrc"].map((name) => join(home, name)),
    ".npmrc",
  ];
  const texts = await Promise.all(files.map(readTextIfExists));
  const npmRegistry = await outputOf("npm", ["config", "get", "registry"]);
  return [
    ...new Set([
      ...[...texts, npmRegistry].flatMap((text) => hostsInText(text ?? "")),
      ...hostsInEnvironment(process.env),
    ]),
  ];
}

async function filesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []); // no such folder: nothing is configured there
  return names.filter((name) => /\.(list|sources|conf)$|^[0-9A-Za-z_-]+$/.test(name)).map((name) => join(folder, name));
}

async function outputOf(command: string, args: string[]): Promise<string> {
  try {
    return (await run(command, args, { timeoutMs: 5000 })).stdout;
  } catch (error) {
    if (error instanceof CommandError) return ""; // not installed: it configures nothing
    throw error;
  }
}

/** The addresses of a name; none for a name that does not resolve in time, since nothing reaches it then anyway. */
async function addressesOf(name: string): Promise<UsedRange[]> {
  const found = await Promise.race([
    lookup(name, { all: true, family: 4 }).catch(() => []),
    sleep(lookupTimeoutMs, [], { ref: false }),
  ]);
  return found.map(({ address }) => ({ cidr: address, origin: `server of a configured URL (${name})` }));
}
