import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test, vi } from "vitest";

const script = fileURLToPath(new URL("../support/killed-host.ts", import.meta.url));
const project = fileURLToPath(new URL("../fixtures/dynamic", import.meta.url));

/** State and parent of a process; undefined where there is none. */
function factsOf(pid: number): { state: string; parent: number } | undefined {
  try {
    const [, state = "", parent] = /\) (\S) (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
    return { state, parent: Number(parent) };
  } catch {
    return undefined; // it ended
  }
}

function childrenOf(pid: number): number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((one) => factsOf(one)?.parent === pid);
}

/** What has ended and waits to be asked how does not run. */
const isRunning = (pid: number) => !["Z", undefined].includes(factsOf(pid)?.state);

test("a plugin ends with an engine that is killed", { timeout: 60_000 }, async () => {
  const engine = spawn(process.execPath, [script, project], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void engine.kill("SIGKILL"));
  await once(createInterface({ input: engine.stdout }), "line");
  const children = childrenOf(engine.pid ?? 0);
  expect(children).toHaveLength(2); // the plugin, and what watches over it
  engine.kill("SIGKILL");
  await vi.waitFor(() => expect(children.filter(isRunning)).toEqual([]), { timeout: 10_000, interval: 50 });
});
