/**
 * The embedded cloud with pretended guests: start, memory, single calls, many clients. Prints Markdown; progress goes to standard error. With
 * real guests: `bench/cloud-guests.ts`.
 *
 *     node_modules/.bin/node bench/cloud.ts [--parts fake,clients] [--rounds 200] [--seconds 60]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createServers, measureCalls } from "./cloud/calls.ts";
import { Client } from "./cloud/client.ts";
import { loadOf } from "./cloud/clients.ts";
import { residentMb, startBenchCloud } from "./cloud/started.ts";
import { machineLine, median } from "./report.ts";

const { values } = parseArgs({
  options: {
    parts: { type: "string", default: "fake,clients" },
    rounds: { type: "string", default: "200" },
    seconds: { type: "string", default: "60" },
  },
});
const parts = values.parts.split(",");
const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)];
const [servers, clients] = [1000, 200];

const folder = await mkdtemp(join(tmpdir(), "slipway-bench-cloud-"));
try {
  console.log(machineLine(rounds));
  await onPaper();
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function onPaper(): Promise<void> {
  const starts: number[] = [];
  for (let start = 0; start < 5; start++) {
    const cloud = await startBenchCloud(join(folder, `start-${start}`), "fake");
    starts.push(cloud.readyMs);
    await cloud.remove();
  }
  const cloud = await startBenchCloud(folder, "fake");
  const { pid } = cloud.info;
  const fresh = await residentMb(pid);
  const admin = await Client.of(cloud.cloudsFile, "slipway-admin");
  const client = await Client.of(cloud.cloudsFile, "slipway", clients);
  try {
    const createdMs = await createServers(admin, client, servers);
    const listed = await client.ask("GET", "/compute/v2.1/servers/detail?limit=1000");
    const found = JSON.parse(listed.text).servers.length;
    console.log(`
| | |
|---|---|
| start until an answer, median of ${starts.length} (least, most) | ${ms(median(starts))} (${ms(Math.min(...starts))}, ${ms(Math.max(...starts))}) |
| resident after the start | ${Math.round(fresh)} MB |
| ${servers} servers created, one after the other | ${ms(createdMs)} |
| ${found} of them listed with all details in one answer | ${ms(listed.ms)} |
| resident with them | ${Math.round(await residentMb(pid))} MB |`);
    if (parts.includes("fake")) {
      const samples = await measureCalls(client, rounds);
      const rows = [...samples].map(
        ([name, times]) => `| ${name} | ${fine(median(times))} | ${fine(percentile(times, 0.99))} |`,
      );
      const all = [...samples.values()].flat();
      console.log(`\n| call, with ${servers} servers there | median ms | p99 ms |\n|---|---|---|\n${rows.join("\n")}`);
      console.log(`| **all** | ${fine(median(all))} | ${fine(percentile(all, 0.99))} |`);
    }
    if (parts.includes("clients")) {
      const load = await loadOf(client, clients, seconds);
      for (const line of load.errors.slice(0, 20)) console.error(line);
      console.log(`
| ${clients} clients at once for ${seconds} s | |
|---|---|
| answers | ${load.answers} (${Math.round(load.answers / seconds)} a second) |
| errors | ${load.errors.length} |
| median, p99 | ${fine(median(load.times))} ms, ${fine(percentile(load.times, 0.99))} ms |
| resident afterwards | ${Math.round(await residentMb(pid))} MB |`);
      if (load.errors.length > 0) process.exitCode = 1;
    }
  } finally {
    client.close();
    admin.close();
    await cloud.remove();
  }
}

function ms(value: number): string {
  return `${Math.round(value)} ms`;
}

function fine(value: number): string {
  return value.toFixed(2);
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
