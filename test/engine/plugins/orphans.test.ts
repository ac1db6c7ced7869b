import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test, vi } from "vitest";
import { installLauncher } from "../../../src/cli/provider-plugin.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

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

test("a served provider ends with the engine that started it", { timeout: 60_000 }, async () => {
  const launcher = await installLauncher(temporaryFolder(), process.env);
  // A shell in the engine's place: it tells the plugin's pid, and the plugin its port.
  const engine = spawn("/bin/sh", ["-c", '"$0" 127.0.0.1:9 & echo $!; wait', launcher], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void engine.kill("SIGKILL"));
  const lines: string[] = [];
  for await (const line of createInterface({ input: engine.stdout })) if (lines.push(line) === 2) break;
  const [pid, port] = lines.map(Number);
  expect(port).toBeGreaterThan(0);
  expect(isRunning(Number(pid))).toBe(true);
  engine.kill("SIGKILL");
  await vi.waitFor(() => expect(isRunning(Number(pid))).toBe(false), { timeout: 20_000, interval: 100 });
});

test("a plugin ends with an engine that is killed", { timeout: 60_000 }, async () => {
  const engine = spawn(process.execPath, [script, project], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void engine.kill("SIGKILL"));
  await once(createInterface({ input: engine.stdout }), "line");
  const children = childrenOf(engine.pid ?? 0);
  expect(children).toHaveLength(2); // the plugin, and what watches over it
  engine.kill("SIGKILL");
  await vi.waitFor(() => expect(children.filter(isRunning)).toEqual([]), { timeout: 10_000, interval: 50 });
});
