import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { run } from "../../src/common/process.ts";
import { wrk } from "./installed.ts";

/** What is asked, the same each time. */
export interface Question {
  url: string;
  method: "GET" | "POST";
  headers: Record<string, string>;
  body: string | Uint8Array<ArrayBuffer>;
}

/** What a load generator saw. Latencies in milliseconds, of all requests, as the client waits for them. */
export interface Load {
  requests: number;
  seconds: number;
  p50: number;
  p90: number;
  p99: number;
  p999: number;
  most: number;
  /** Requests without an answer, and answers of status 400 and above. */
  failures: Record<"connect" | "read" | "write" | "status" | "timeout", number>;
}

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

/** Requests that got no answer, or none that is a success. */
export function failed({ failures }: Load): number {
  return Object.values(failures).reduce((sum, each) => sum + each, 0);
}

/** Asks over and over on so many connections, each of them one question at a time. */
export async function loadOn(question: Question, connections: number, seconds: number): Promise<Load> {
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
