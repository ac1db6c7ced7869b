import { rm } from "node:fs/promises";
import { messageOf } from "../../../common/errors.ts";
import { writeFileAtomic } from "../../../common/files.ts";
import { isAlive } from "../nspawn/processes.ts";
import { guestFiles, type RunningGuest, runningGuests } from "./guest-files.ts";
import { Qmp } from "./qmp.ts";

// Holds the guests of a cloud, or one of them, from when it says so until its standard input ends, however who started it ends:
//   node src/cloud/hypervisors/qemu/hold-guests.ts STATE INSTANCE [SERVER]

const ask = ({ monitor }: RunningGuest, command: string) => Qmp.session(monitor, (qmp) => qmp.execute(command));

/** What QEMU is asked of a guest that ends meanwhile fails, and need not be. */
async function whileItRuns(guest: RunningGuest, work: () => Promise<void>): Promise<void> {
  await work().catch(async (error: unknown) => {
    if (await isAlive(guest.process)) throw error;
  });
}

async function hold(guest: RunningGuest, held: RunningGuest[]): Promise<void> {
  const { status } = (await ask(guest, "query-status")) as { status: string };
  if (status !== "running") return; // somebody paused it, and it stays so
  await writeFileAtomic(guestFiles(guest.folder).held, "");
  held.push(guest);
  await ask(guest, "stop"); // writes to the disks' files what it had not yet
}

async function letGo(guest: RunningGuest): Promise<void> {
  await ask(guest, "cont");
  await rm(guestFiles(guest.folder).held, { force: true });
}

async function main(stateDir: string, instance: string, id?: string): Promise<void> {
  const held: RunningGuest[] = [];
  const failures: string[] = [];
  try {
    for (const guest of await runningGuests(stateDir, instance, id)) await whileItRuns(guest, () => hold(guest, held));
    process.stdout.write("held\n");
    for await (const _ of process.stdin);
  } finally {
    const ends = await Promise.allSettled(held.map((guest) => whileItRuns(guest, () => letGo(guest))));
    for (const end of ends) if (end.status === "rejected") failures.push(messageOf(end.reason));
  }
  if (failures.length > 0) throw new Error(failures.join("; "));
}

const [stateDir = "", instance = "", id] = process.argv.slice(2);
main(stateDir, instance, id).catch((error: unknown) => {
  console.error(messageOf(error));
  process.exitCode = 1;
});
