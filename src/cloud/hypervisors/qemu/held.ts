import { join } from "node:path";
import { whileHeld } from "../../../common/holding.ts";
import { runningGuests } from "./guest-files.ts";

const program = join(import.meta.dirname, "hold-guests.ts");

/**
 * Runs `work` while all virtual machines of a cloud stand still, with all that they have sent to their disks in the disks' files. They go on
 * when it has ended, also where this process was killed. Nobody else may talk to them meanwhile: the cloud does not run.
 */
export async function whileGuestsHeld<T>(stateDir: string, instance: string, work: () => Promise<T>): Promise<T> {
  if ((await runningGuests(stateDir, instance)).length === 0) return work();
  return whileHeld(
    [process.execPath, program, stateDir, instance],
    work,
    (reason) => new Error(`the virtual machines could not be brought to a standstill: ${reason}`),
  );
}
