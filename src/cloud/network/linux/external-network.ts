import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { readTextIfExists, writeFileAtomic } from "../../../common/files.ts";
import { markOf, type ProcessMark } from "../../hypervisors/nspawn/processes.ts";
import { firstHostOf } from "./addresses.ts";
import { checkRange, pickRange, type UsedRange } from "./external-range.ts";
import { rangesInUse } from "./machine-addresses.ts";
import { withMachineLock } from "./machine-lock.ts";
import { hostLink, instanceTag } from "./names.ts";

/** One file per instance: the range that it chose, valid as long as the instance's own record of it exists. */
const reservationsFolder = "/run/slipway/ranges";

/** The machine's note of whose a range is. */
export interface Reservation {
  cidr: string;
  /** The file in the instance's state that says the same. */
  record: string;
  /** The process that took it last; notes of earlier versions do not tell. */
  owner?: ProcessMark | undefined;
}

interface Request {
  instance: string;
  stateDir: string;
  /** A range that the user named; without it one is picked, and kept for the instance's life. */
  externalCidr?: string;
}

/** The external network of an instance: chosen once, then read from its state. @throws SlipwayError E_ADDRESS_RANGE */
export async function claimExternalNetwork(request: Request): Promise<{ cidr: string; gatewayIp: string }> {
  return withMachineLock(join(reservationsFolder, ".lock"), async () => {
    const record = recordOf(request.stateDir);
    const used = [
      ...(await rangesInUse(hostLink(request.instance))),
      ...(await reservedByOthers(instanceTag(request.instance))),
    ];
    const kept = (await readTextIfExists(record))?.trim();
    const wanted = request.externalCidr ?? kept;
    const cidr = wanted === undefined ? pickRange(used) : checkRange(wanted, used);
    if (cidr !== kept) await writeFileAtomic(record, `${cidr}\n`);
    const reservation: Reservation = { cidr, record, owner: await markOf(process.pid) };
    await writeFileAtomic(fileOf(instanceTag(request.instance)), JSON.stringify(reservation));
    return { cidr, gatewayIp: firstHostOf(cidr) };
  });
}

/** Gives the range back. */
export async function releaseExternalNetwork(instance: string, stateDir: string): Promise<void> {
  await withdrawReservation(instance);
  await rm(recordOf(stateDir), { force: true });
}

/** Removes the machine's note that the instance holds a range. */
export async function withdrawReservation(instance: string): Promise<void> {
  await rm(fileOf(instanceTag(instance)), { force: true });
}

const fileOf = (tag: string) => join(reservationsFolder, `${tag}.json`);

/** Who holds ranges on this machine, by the tag of the instance. */
export async function reservations(): Promise<Map<string, Reservation>> {
  const found = new Map<string, Reservation>();
  for (const tag of await reservingTags()) {
    const text = await readTextIfExists(fileOf(tag));
    if (text !== undefined) found.set(tag, JSON.parse(text) as Reservation);
  }
  return found;
}

/** The tags of instances that hold a range. */
export async function reservingTags(): Promise<string[]> {
  const names = await readdir(reservationsFolder).catch(() => []); // nobody holds one
  return names.filter((name) => name.endsWith(".json")).map((name) => name.slice(0, -5));
}

const recordOf = (stateDir: string) => join(stateDir, "external-cidr");

async function reservedByOthers(ownTag: string): Promise<UsedRange[]> {
  const used: UsedRange[] = [];
  for (const [tag, { cidr, record }] of await reservations()) {
    if (tag === ownTag) continue;
    if ((await readTextIfExists(record)) !== undefined) {
      used.push({ cidr, origin: `external network of the cloud ${tag}` });
    } else {
      await rm(fileOf(tag), { force: true }); // its state is gone, so nobody can use it
    }
  }
  return used;
}
