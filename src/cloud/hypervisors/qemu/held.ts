import { join } from "node:path";
import { whileHeld } from "../../../common/holding.ts";
import { runningGuests } from "./guest-files.ts";

const program = join(import.meta.dirname, "hold-guests.ts");

/**
 * Runs `work` while the virtual machines of a cloud, or the one with an id, stand still, with all that they have sent to their disks in the disks' files. They go on
 * when it has ended, also where this process was killed. Nobody else may talk to them meanwhile.
 */
export async function whileGuestsHeld<T>(
  stateDir: string,
  instance: string,
  work: () => Promise<T>,
  id?: string,
): Promise<T> {
  if ((await runningGuests(stateDir, instance, id)).length === 0) return work();
  return whileHeld(
    [process.execPath, program, stateDir, instance, ...(id === undefined ? [] : [id])],
    work,
    (reason) => new Error(`the virtual machines could not be brought to a standstill: ${reason}`),
  );
}
