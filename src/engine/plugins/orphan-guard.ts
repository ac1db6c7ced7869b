import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/**
 * Reads process groups, one a line; at the end of its input it ends them all, at the word `done` only itself. A few kilobytes of
 * shell: it outlives this process whatever ends that, and the input ends with it.
 */
const script = `
while read -r group; do
  [ "$group" = done ] && exit 0
  groups="$groups -$group"
done
[ -z "$groups" ] || kill -s KILL -- $groups 2>/dev/null
`;

/** Ends plugins that would be left behind when this process is killed: most of them notice only after minutes, or never. */
export class OrphanGuard {
  readonly #shell: ChildProcess;

  constructor() {
    // A group of its own: Ctrl-C on a terminal must not end it before its time.
    this.#shell = spawn("/bin/sh", ["-c", script], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
    this.#shell.unref();
    this.#shell.on("error", () => undefined); // no shell: plugins are ended in all other cases
    this.#shell.stdin?.on("error", () => undefined); // it is gone already
    (this.#shell.stdin as unknown as { unref?: () => void } | null)?.unref?.();
  }

  /** From now on the group of this process ends with ours. */
  watch(pid: number): void {
    this.#shell.stdin?.write(`${pid}\n`);
  }

  /** All plugins are ended: nothing is left to do. */
  async close(): Promise<void> {
    if (this.#shell.exitCode !== null || this.#shell.pid === undefined) return;
    const gone = once(this.#shell, "exit", { signal: AbortSignal.timeout(1000) });
    this.#shell.stdin?.end("done\n");
    await gone.catch(() => this.#shell.kill("SIGKILL"));
  }
}
