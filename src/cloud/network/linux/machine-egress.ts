import { readdir, rm, writeFile } from "node:fs/promises";
import { isErrno } from "../../../common/errors.ts";
import { readTextIfExists, writeFileAtomic } from "../../../common/files.ts";
import { CommandError, run } from "../../../common/process.ts";
import { withMachineLock } from "./machine-lock.ts";
import { hostLink, instanceTag } from "./names.ts";
import { replaceTable } from "./network-ruleset.ts";

interface External {
  cidr: string;
  gatewayIp: string;
}

/**
 * Each link's own switch: a packet is forwarded where that of the link by which it came is on. `default` is what later links begin with. `all`
 * is `net.ipv4.ip_forward`: who wants the machine to forward writes it, and it switches all links. No cloud writes it, so that it tells whether
 * somebody else does. (Linux, Documentation/networking/ip-sysctl.rst)
 */
const switches = "/proc/sys/net/ipv4/conf";
const switchOf = (link: string) => `${switches}/${link}/forwarding`;

const lock = "/run/slipway/egress.lock";

/** The links that clouds have switched on. */
const switchedOnFile = "/run/slipway/switched-on.json";

const tableOf = (tag: string) => `sw_${tag}`;

/**
 * The machine's own table of a cloud with a way out: guests leave under the machine's address, and meet the machine itself at the gateway
 * address only. Nothing new comes in to them. Only what comes from or goes to the cloud's link or range is touched.
 */
export function machineRuleset(instance: string, { cidr, gatewayIp }: External): string {
  const table = `ip ${tableOf(instanceTag(instance))}`;
  const link = hostLink(instance);
  return `${replaceTable(table)}
table ${table} {
 chain post {
  type nat hook postrouting priority srcnat; policy accept;
  ip saddr ${cidr} oifname != "${link}" masquerade;
 }
 chain input {
  type filter hook input priority filter; policy accept;
  iifname "${link}" ip daddr != ${gatewayIp} ct state new drop;
 }
 chain forward {
  type filter hook forward priority filter; policy accept;
  iifname "${link}" tcp flags syn tcp option maxseg size set rt mtu;
  oifname "${link}" ct state != { established, related } drop;
 }
}
`;
}

/** Gives an instance's guests a way out by this machine's uplink. */
export async function openEgress(instance: string, external: External): Promise<void> {
  await withMachineLock(lock, async () => {
    // rules before forwarding: nothing is ever open for a moment
    await run("nft", ["-f", "-"], { input: machineRuleset(instance, external) });
    await switchOn();
  });
}

/** Takes the way out away; with the last cloud that had one, the links that clouds have switched on forward no more. */
export async function closeEgress(instance: string): Promise<void> {
  const tag = instanceTag(instance);
  if (!(await tagsWithEgress()).includes(tag)) return;
  await withMachineLock(lock, async () => {
    const others = (await tagsWithEgress()).filter((other) => other !== tag);
    if (others.length === 0) await switchOff();
    await run("nft", ["-f", "-"], { input: `${replaceTable(`ip ${tableOf(tag)}`)}\n` });
  });
}

/** Notes a link before it is switched: whoever is killed in between leaves none that nobody knows of. */
async function switchOn(): Promise<void> {
  const noted = await switchedOn();
  const off: string[] = [];
  for (const link of await readdir(switches)) if (link !== "all" && (await isOff(link))) off.push(link);
  await writeFileAtomic(switchedOnFile, JSON.stringify([...new Set([...noted, ...off])]));
  for (const link of off) await turn(link, "1");
}

/** Where somebody else has the machine forward by now, all stays as it is. */
async function switchOff(): Promise<void> {
  if (await isOff("all")) for (const link of await switchedOn()) await turn(link, "0");
  await rm(switchedOnFile, { force: true });
}

async function switchedOn(): Promise<string[]> {
  return JSON.parse((await readTextIfExists(switchedOnFile)) ?? "[]") as string[];
}

const isOff = async (link: string) => (await readTextIfExists(switchOf(link)))?.trim() === "0";

async function turn(link: string, value: "0" | "1"): Promise<void> {
  await writeFile(switchOf(link), `${value}\n`, { flag: "r+" }).catch((error: unknown) => {
    if (!isErrno(error, "ENOENT")) throw error; // the link is gone
  });
}

/** The tags of instances whose guests have a way out. */
export async function tagsWithEgress(): Promise<string[]> {
  try {
    const { stdout } = await run("nft", ["list", "tables", "ip"]);
    return [...stdout.matchAll(/^table ip sw_([a-z0-9]{4,8})$/gm)].map((match) => match[1] as string);
  } catch (error) {
    if (error instanceof CommandError) return []; // no nft: nothing was made by it
    throw error;
  }
}
