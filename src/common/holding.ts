import { spawn } from "node:child_process";

/**
 * Runs `work` while a child process holds something of this machine. The child says so by the line `held` on its standard output, and
 * gives it back at the end of its standard input, which is ours: however this process ends, the child reads that.
 * @param refused what is thrown where the child ends without having it; given what it wrote to its standard error
 * @throws Error where the child cannot be started, or gives back with a status other than 0
 */
export async function whileHeld<T>(
  command: readonly [string, ...string[]],
  work: () => Promise<T>,
  refused: (stderr: string) => Error,
): Promise<T> {
  const [program, ...args] = command;
  // apart from this process's group: an interruption typed at a terminal goes to all of one
  const holder = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], detached: true });
  let stderr = "";
  holder.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  holder.stdin.on("error", () => undefined); // one that has ended already; its status tells
  const ended = new Promise<number | null>((resolve) => holder.once("close", resolve));
  await new Promise<void>((resolve, reject) => {
    holder.once("error", reject);
    holder.stdout.once("data", () => resolve());
    void ended.then(() => reject(refused(stderr.trim())));
  });
  const release = () => {
    holder.stdin.end();
    return ended;
  };
  const result = await work().catch(async (error: unknown) => {
    await release();
    throw error;
  });
  if ((await release()) !== 0) throw refused(stderr.trim());
  return result;
}
