import type { RunOptions } from "../common/process.ts";
import type { Host } from "./host.ts";

/** Runs a command in a unit of its own: the agent's sandbox keeps its hands off packages, users and containers. */
export function runOutside(run: Host["run"], command: string, args: readonly string[], options?: RunOptions) {
  return run("systemd-run", ["--quiet", "--collect", "--wait", "--pipe", "--", command, ...args], options);
}
