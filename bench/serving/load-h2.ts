import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../src/common/process.ts";
import { h2load } from "./installed.ts";
import type { Load, Question } from "./load-report.ts";

/** Asks over HTTP/2 on so many connections, each of them one question at a time, with nghttp2's h2load. */
export async function loadByHttp2(question: Question, connections: number, seconds: number): Promise<Load> {
  const { command, env } = await h2load();
  const folder = await mkdtemp(join(tmpdir(), "slipway-h2load-"));
  try {
    const [body, log] = [join(folder, "body"), join(folder, "log")];
    await writeFile(body, question.body);
    const headers = Object.entries(question.headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
    const effort = ["-c", `${connections}`, "-m", "1", "-t", "1", "-D", `${seconds}`, "--warm-up-time=0"];
    await run(command, [...effort, ...headers, "-d", body, "--log-file", log, question.url], {
      env: { ...process.env, ...env },
      timeoutMs: (seconds + 30) * 1000,
    });
    return readH2Log(await readFile(log, "utf8"), seconds);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Reads h2load's log: a line a request with when it began (microseconds since 1970), its status (-1 for none) and how long it took
 * (microseconds). Throws for a log without a request.
 */
export function readH2Log(log: string, seconds: number): Load {
  const lines = log.split("\n").filter(Boolean);
  const requests = lines.map((line) => line.split("\t").map(Number) as [number, number, number]);
  if (requests.length === 0) throw new Error("h2load logged no request");
  const times = requests.map(([, , micros]) => micros / 1000).toSorted((a, b) => a - b);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(share * times.length))] as number;
  const count = (isOne: (status: number) => boolean) => requests.filter(([, status]) => isOne(status)).length;
  return {
    requests: requests.length,
    seconds,
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    p999: at(0.999),
    most: at(1),
    failures: { connect: 0, read: count((status) => status < 0), write: 0, status: count((s) => s >= 400), timeout: 0 },
  };
}
