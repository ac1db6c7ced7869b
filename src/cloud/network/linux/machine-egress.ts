import { readFile, rm, writeFile } from "node:fs/promises";
import { readTextIfExists, writeFileAtomic } from "../../../common/files.ts";
import { CommandError, run } from "../../../common/process.ts";
import { withMachineLock } from "./machine-lock.ts";
import { hostLink, instanceTag } from "./names.ts";
import { replaceTable } from "./network-ruleset.ts";

interface External {
  cidr: string;
  gatewayIp: string;
}

const forwarding = "/proc/sys/net/ipv4/ip_forward";
const lock = "/run/slipway/egress.lock";

/** Is there while the machine forwards only because a cloud asked for it; then it forwards for clouds alone. */
const wasOff = "/run/slipway/forwarding-was-off";

const tableOf = (tag: string) => `sw_${tag}`;

/**
 * The machine's own table of a cloud with a way out: guests leave under the machine's address, and meet the machine itself at the gateway
 * address only. Nothing new comes in. Only what comes from or goes to the cloud's link is touched.
 * @param alone whether the machine forwards for nobody else
 */
export function machineRuleset(instance: string, { cidr, gatewayIp }: External, alone: boolean): string {
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
${alone ? '  iifname != "sw-*" oifname != "sw-*" drop;' : ""}
 }
}
`;
}

/** Gives an instance's guests a way out by this machine's uplink. */
export async function openEgress(instance: string, external: External): Promise<void> {
  await withMachineLock(lock, async () => {
    const alone = (await readFile(forwarding, "utf8")).trim() === "0" || (await readTextIfExists(wasOff)) !== undefined;
    if (alone) await writeFileAtomic(wasOff, "");
    // rules before forwarding: nothing is ever open for a moment
    await run("nft", ["-f", "-"], { input: machineRuleset(instance, external, alone) });
    await writeFile(forwarding, "1\n");
  });
}

/** Takes the way out away; with the last cloud that had one the machine forwards no more, if it did not before. */
export async function closeEgress(instance: string): Promise<void> {
  const tag = instanceTag(instance);
  if (!(await tagsWithEgress()).includes(tag)) return;
  await withMachineLock(lock, async () => {
    const others = (await tagsWithEgress()).filter((other) => other !== tag);
    if (others.length === 0 && (await readTextIfExists(wasOff)) !== undefined) {
      await writeFile(forwarding, "0\n");
      await rm(wasOff, { force: true });
    }
    await run("nft", ["-f", "-"], { input: `${replaceTable(`ip ${tableOf(tag)}`)}\n` });
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
