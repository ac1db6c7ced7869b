import { spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { SlipwayError } from "../../../common/errors.ts";

/**
 * Runs `work` while no other process of this machine holds the lock of that file. The kernel holds it for a child (`flock`) whose
 * standard input is ours: however this process ends, the child reads end-of-file and the lock is free.
 * @throws SlipwayError E_TIMEOUT when it is not free within `timeoutMs`
 */
export async function withMachineLock<T>(file: string, work: () => Promise<T>, timeoutMs = 30_000): Promise<T> {
  await mkdir(dirname(file), { recursive: true });
  const seconds = String(Math.ceil(timeoutMs / 1000));
  const holder = spawn("flock", ["--exclusive", "--wait", seconds, file, "sh", "-c", "echo held; exec cat"], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  const ended = new Promise<void>((resolve) => holder.once("close", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    holder.once("error", reject);
    holder.stdout.once("data", () => resolve());
    void ended.then(() => reject(new SlipwayError("E_TIMEOUT", `gave up waiting ${seconds} s for the lock ${file}`)));
  });
  try {
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}
