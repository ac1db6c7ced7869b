import type { GuestDisk } from "../hypervisor.ts";
import {
  type DiskOwner,
  makeNode,
  type PluggedDisk,
  plug,
  pluggedDisks,
  removeNode,
  unplug,
  writeDiskView,
} from "./disks.ts";
import { isClaimed } from "./loops.ts";

/** A guest whose disks change while it runs. */
export interface RunningGuest extends DiskOwner {
  /** Lets the guest open these block devices (`7:3`) from now on, and no others. */
  limitDevices(numbers: string[]): Promise<void>;
  /** Its first process, once it has one; undefined when the guest has ended. */
  leader(): Promise<number | undefined>;
}

/** Plugs a disk into a running guest; done again it changes nothing. What was done is undone where it fails. */
export async function hotPlug(guest: RunningGuest, disk: GuestDisk): Promise<void> {
  const plugged = await plug(guest, disk);
  try {
    await show(guest, plugged);
  } catch (error) {
    await hotUnplug(guest, disk.device);
    throw error;
  }
}

async function show(guest: RunningGuest, disk: PluggedDisk): Promise<void> {
  const all = await pluggedDisks(guest);
  await guest.limitDevices(all.map(({ loop }) => loop.numbers));
  await writeDiskView(guest, all); // before the node: a guest that starts anew meanwhile makes it of this
  const leader = await guest.leader();
  if (leader !== undefined) await makeNode(leader, disk);
}

/**
 * Takes a disk out of a running guest; done again it changes nothing. A disk that the guest itself took off its volume is tidied up.
 * @throws Error while the guest uses it: a surprise removal would leave the guest a file system that only fails
 */
export async function hotUnplug(guest: RunningGuest, device: string): Promise<void> {
  const all = await pluggedDisks(guest);
  const disk = all.find((one) => one.device === device);
  const others = all.filter((one) => one !== disk);
  if (disk !== undefined && (await isClaimed(disk.loop)))
    throw new Error(`the guest still uses /dev/${device}; it has to unmount it first`);
  await writeDiskView(guest, others);
  const leader = await guest.leader();
  if (leader !== undefined) await removeNode(leader, device);
  try {
    if (disk !== undefined) await unplug(guest, disk);
  } catch (error) {
    if (disk !== undefined) await show(guest, disk);
    throw error;
  }
  await guest.limitDevices(others.map(({ loop }) => loop.numbers));
}
