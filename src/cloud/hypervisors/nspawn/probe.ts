import { access, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../../common/errors.ts";
import { run } from "../../../common/process.ts";
import { missingHostPackages } from "../../host-packages.ts";
import { networkRuleset } from "../../network/linux/network-ruleset.ts";
import { routerRuleset } from "../../network/linux/router-ruleset.ts";
import { cgroupMode } from "./cgroups.ts";
import { overlayOptions } from "./overlay.ts";

/** Capabilities (bit in CapEff, see capabilities(7)) that making guests takes; containers usually lack them. */
const neededCapabilities = { CAP_NET_ADMIN: 12, CAP_SYS_CHROOT: 18, CAP_SYS_ADMIN: 21, CAP_MKNOD: 27 };

/** The names of the needed capabilities that a mask lacks. Pure. */
export function missingCapabilities(capEff: string): string[] {
  const mask = BigInt(`0x${capEff}`);
  return Object.entries(neededCapabilities)
    .filter(([, bit]) => (mask & (1n << BigInt(bit))) === 0n)
    .map(([name]) => name);
}

/** Tries what guests need, each in a scratch namespace, and says everything that is missing. Takes about 0.3 s. */
export async function probeMachine(stateDir: string): Promise<{ usable: boolean; reason: string }> {
  if (process.platform !== "linux")
    return { usable: false, reason: `real guests need Linux, this is ${process.platform}` };
  if (process.getuid?.() !== 0) return { usable: false, reason: "real guests need root" };
  const packages = (await missingHostPackages()).map(
    ({ name, reason }) => `package ${name} is not installed (${reason})`,
  );
  if (packages.length > 0) return { usable: false, reason: packages.join("; ") };
  const found = await Promise.all([capabilities(), cgroups(), namespacesAndRules(), overlay(stateDir)]);
  const problems = found.filter((problem) => problem !== undefined);
  if (problems.length === 0)
    return { usable: true, reason: "root, namespaces, nftables, overlay mounts, cgroups and nspawn work" };
  const container = await containerHint();
  return { usable: false, reason: [...problems, ...(container ? [container] : [])].join("; ") };
}

async function capabilities(): Promise<string | undefined> {
  const capEff = /^CapEff:\s*([0-9a-f]+)$/m.exec(await readFile("/proc/self/status", "utf8"))?.[1] ?? "0";
  const missing = missingCapabilities(capEff);
  return missing.length === 0 ? undefined : `root lacks ${missing.join(", ")}`;
}

async function cgroups(): Promise<string | undefined> {
  const mode = await cgroupMode();
  return mode.kind === "unusable" ? mode.reason : undefined;
}

/** The rulesets that the data plane loads, with every kind of statement in them. */
function sampleRuleset(): string {
  const group = {
    id: "group",
    rules: [
      {
        direction: "ingress" as const,
        ethertype: "IPv4" as const,
        protocol: "tcp",
        portMin: 22,
        portMax: 22,
        remoteCidr: null,
        remoteGroupId: "group",
      },
    ],
  };
  const port = {
    id: "port",
    networkId: "net",
    mac: "fa:16:3e:00:00:01",
    fixedIps: ["10.0.0.5"],
    allowedAddresses: [],
    portSecurity: true,
    securityGroupIds: ["group"],
    serverId: "server",
  };
  const plan = { networks: [], routers: [], ports: [port], securityGroups: [group] };
  const router = {
    id: "router",
    externalIp: "192.0.2.5",
    enableSnat: true,
    interfaces: [],
    floatingIps: [{ floatingIp: "192.0.2.6", fixedIp: "10.0.0.5" }],
  };
  return (
    networkRuleset(plan, "net", ["router"]) + routerRuleset(router, { cidr: "192.0.2.0/24", gatewayIp: "192.0.2.1" })
  );
}

async function namespacesAndRules(): Promise<string | undefined> {
  try {
    await run(
      "unshare",
      ["--net", "sh", "-ec", "ip link add veth0 type veth peer name veth1; ip link add br0 type bridge; nft -f -"],
      {
        input: sampleRuleset(),
      },
    );
    return undefined;
  } catch (error) {
    return `a network namespace with our rules cannot be made: ${messageOf(error)}`;
  }
}

async function overlay(stateDir: string): Promise<string | undefined> {
  await mkdir(stateDir, { recursive: true });
  const scratch = await mkdtemp(join(stateDir, "probe-"));
  const paths = {
    lower: join(scratch, "lower"),
    upper: join(scratch, "up"),
    work: join(scratch, "work"),
    target: join(scratch, "root"),
  };
  try {
    for (const path of Object.values(paths)) await mkdir(path);
    const mount = ["mount", "-t", "overlay", "overlay", "-o", overlayOptions(paths), paths.target];
    await run("unshare", ["--mount", "--propagation", "private", ...mount]);
    return undefined;
  } catch (error) {
    return `an overlay cannot be mounted in ${stateDir}: ${messageOf(error)}`;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function containerHint(): Promise<string | undefined> {
  const inDocker = await access("/.dockerenv").then(
    () => true,
    () => false,
  );
  const init = await readFile("/proc/1/environ", "latin1").catch(() => ""); // hidden from us: no hint then
  return inDocker || /(^|\0)container=/.test(init) ? "this is a container itself: start it privileged" : undefined;
}
