import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { run } from "../../src/common/process.ts";
import { wrk } from "./installed.ts";
import { loadByHttp2 } from "./load-h2.ts";
import type { Load, Question } from "./load-report.ts";

const count = z.number().int().nonnegative();
const reportSchema = z.object({
  requests: count,
  microseconds: count,
  p50: count,
  p90: count,
  p99: count,
  p999: count,
  most: count,
  failures: z.object({ connect: count, read: count, write: count, status: count, timeout: count }),
});

/** Reads the JSON line that wrk.lua prints at the end of wrk's own report. Throws for a run that did not come so far. */
export function readLoad(output: string): Load {
  const line = output.split("\n").findLast((text) => text.startsWith('{"requests":'));
  if (line === undefined) throw new Error(`wrk said nothing that can be read: ${output.slice(0, 400)}`);
  const { microseconds, requests, failures, ...latencies } = reportSchema.parse(JSON.parse(line));
  const inMs = (value: number) => value / 1000;
  return {
    requests,
    seconds: microseconds / 1_000_000,
    p50: inMs(latencies.p50),
    p90: inMs(latencies.p90),
    p99: inMs(latencies.p99),
    p999: inMs(latencies.p999),
    most: inMs(latencies.most),
    failures,
  };
}

/** Asks over and over on so many connections, each of them one question at a time. */
export function loadOn(question: Question, connections: number, seconds: number): Promise<Load> {
  return question.protocol === "h2"
    ? loadByHttp2(question, connections, seconds)
    : loadByWrk(question, connections, seconds);
}

async function loadByWrk(question: Question, connections: number, seconds: number): Promise<Load> {
  const { command, env } = await wrk();
  const folder = await mkdtemp(join(tmpdir(), "slipway-wrk-"));
  try {
    const body = join(folder, "body");
    await writeFile(body, question.body);
    const headers = Object.entries(question.headers).map(([name, value]) => `${name}: ${value}`);
    const variables = {
      ...process.env,
      ...env,
      WRK_METHOD: question.method,
      WRK_HEADERS: headers.join("\n"),
      ...(question.method === "POST" && { WRK_BODY: body }),
    };
    const args = ["-t", "1", "-c", `${connections}`, "-d", `${seconds}s`, "--timeout", "10s"];
    const script = join(import.meta.dirname, "wrk.lua");
    const { stdout } = await run(command, [...args, "-s", script, question.url], {
      env: variables,
      timeoutMs: (seconds + 30) * 1000,
    });
    return readLoad(stdout);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
