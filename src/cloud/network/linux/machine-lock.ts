import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { SlipwayError } from "../../../common/errors.ts";
import { whileHeld } from "../../../common/holding.ts";

/**
 * Runs `work` while no other process of this machine holds the lock of that file; it ends with this process (`flock`).
 * @throws SlipwayError E_TIMEOUT when it is not free within `timeoutMs`
 */
export async function withMachineLock<T>(file: string, work: () => Promise<T>, timeoutMs = 30_000): Promise<T> {
  await mkdir(dirname(file), { recursive: true });
  const seconds = String(Math.ceil(timeoutMs / 1000));
  return whileHeld(
    ["flock", "--exclusive", "--wait", seconds, file, "sh", "-c", "echo held; exec cat"],
    work,
    () => new SlipwayError("E_TIMEOUT", `gave up waiting ${seconds} s for the lock ${file}`),
  );
}
