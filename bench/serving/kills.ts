import { setTimeout as sleep } from "node:timers/promises";
import { loadOn } from "./load.ts";
import { failed, type Load } from "./load-report.ts";
import type { Net } from "./nets.ts";
import { startHost } from "./ours.ts";
import { asksRow } from "./path.ts";
import { endAll } from "./start.ts";

const SECONDS = 10;
/** Into the load. Each kill meets the runtime that is working: the one that is preferred. */
const KILLS_MS = [2000, 5000, 8000];
/** A unit waits so long before it starts what has ended. */
const RESTART_MS = 200;

/** Kills the runtime that is working, three times in ten seconds of load; each time it is started again. */
export async function killRuntimesUnderLoad(net: Net, connections: number, folder: string): Promise<Load> {
  const running = await startHost(net, folder);
  const { host, frontend, runtimes, startRuntime } = running;
  try {
    const question = asksRow(`${host.url}/v1/predict`, net);
    await loadOn(question, connections, 1);
    const load = loadOn(question, connections, SECONDS);
    const start = performance.now();
    for (const at of KILLS_MS) {
      await sleep(start + at - performance.now());
      await runtimes[0]?.end("SIGKILL");
      await sleep(RESTART_MS);
      runtimes[0] = startRuntime(0);
    }
    return await load;
  } finally {
    await endAll(frontend, ...runtimes);
  }
}

/** What came of it, as a row of the table. */
export function killRow(net: Net, load: Load): string {
  const cells = [
    net.name,
    `${KILLS_MS.length}`,
    `${load.requests}`,
    `${failed(load)}`,
    load.p50.toFixed(2),
    load.p99.toFixed(2),
    load.p999.toFixed(2),
    load.most.toFixed(0),
    failed(load) === 0 ? "met" : "**missed**",
  ];
  return `| ${cells.join(" | ")} |`;
}

/** The head of the table of {@link killRow}'s rows. */
export const killHead = `## SIGKILL of the working runtime under load, 64 connections, ${SECONDS} s

| net | kills | requests | failed | p50 ms | p99 ms | p99.9 ms | most ms | target: 0 failed |
|---|---|---|---|---|---|---|---|---|`;
