import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../../common/process.ts";

/** Device nodes that a guest may make and open: null, zero, full, random, urandom, tty, console, ptmx, pseudo terminals, tun, fuse. */
const characterDevices = ["1:3", "1:5", "1:7", "1:8", "1:9", "5:0", "5:1", "5:2", "136:*", "10:200", "10:229"];

/** What to write to a v1 devices group, in order, so that a guest may use the usual devices and these disks (`7:3`). Pure. */
export function v1DeviceRules(blockDevices: string[]): [file: string, value: string][] {
  return [
    ["devices.deny", "a"],
    ...characterDevices.map((numbers): [string, string] => ["devices.allow", `c ${numbers} rwm`]),
    ...blockDevices.map((numbers): [string, string] => ["devices.allow", `b ${numbers} rwm`]),
  ];
}

/** The same as a scope's properties; the devices that every guest has are those of `DevicePolicy=closed` and these. Pure. */
export function scopeDeviceRules(blockDevices: string[]): string[] {
  return [
    ...["/dev/net/tun", "/dev/fuse"].map((node) => `DeviceAllow=${node} rwm`),
    ...blockDevices.map((numbers) => `DeviceAllow=/dev/block/${numbers} rwm`),
  ];
}

/** Changes which disks the processes of a v1 devices group may open. What they have open stays open. */
export async function limitDisksOfGroup(group: string, blockDevices: string[]): Promise<void> {
  const granted = (await readFile(join(group, "devices.list"), "utf8")).matchAll(/^b (\d+:\d+) /gm);
  for (const [, old = ""] of granted) {
    if (!blockDevices.includes(old)) await writeFile(join(group, "devices.deny"), `b ${old} rwm`);
  }
  for (const numbers of blockDevices) await writeFile(join(group, "devices.allow"), `b ${numbers} rwm`);
}

/** The same for a running scope. */
export async function limitDisksOfScope(scope: string, blockDevices: string[]): Promise<void> {
  const rules = ["DeviceAllow=", ...scopeDeviceRules(blockDevices)]; // the empty one forgets the earlier ones
  await run("systemctl", ["set-property", "--runtime", `${scope}.scope`, ...rules]);
}
