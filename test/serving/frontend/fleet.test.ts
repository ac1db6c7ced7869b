import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent, request as httpRequest } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { waitFor } from "../../../src/common/wait.ts";
import { newToken } from "../../../src/serving/access/tokens.ts";
import type { ServingConfig } from "../../../src/serving/config.ts";
import { processesOf } from "../../../src/serving/frontend/config.ts";
import { importModel } from "../../../src/serving/models/import.ts";
import { samplesIn } from "../metrics/prometheus.ts";
import {
  ask,
  exampleModel,
  goldenRows,
  type Host,
  installModel,
  prepareHost,
  startServing,
  type TestProcess,
} from "../support.ts";

const model = await importModel(exampleModel("production"));
const admin = newToken("ada", "admin");
const authorization = `Bearer ${admin.token}`;
let folder: string;
const running: TestProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-fleet-"));
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((process) => process.end("SIGKILL")));
});
afterAll(() => rm(folder, { recursive: true }));

async function newHost(name: string, frontend: Partial<ServingConfig["frontend"]>): Promise<Host> {
  await mkdir(join(folder, name));
  const tokensFile = join(folder, name, "tokens.json");
  await writeFile(tokensFile, JSON.stringify({ tokens: [admin.entry] }));
  const host = await prepareHost(join(folder, name), { runtimes: [{ name: "default", replicas: 2 }] });
  const config = {
    ...host.config,
    frontend: { ...host.config.frontend, tokensFile, stateDir: join(folder, name, "state"), ...frontend },
  };
  await writeFile(join(folder, name, "serving.json"), JSON.stringify(config));
  await installModel(host.modelsDir, model);
  return { ...host, config };
}

function start(entry: "frontend" | "runtime", host: Host, replica = 0): TestProcess {
  const process = startServing(entry, host, replica);
  running.push(process);
  return process;
}

/**
 * Waits until all processes have the runtime: each finds it by itself, and connections go to them by turns. Several processes start at a
 * time, on a machine that may be busy.
 */
const ready = (host: Host) =>
  waitFor(
    "all of the host's processes to be ready",
    async () => {
      for (let process = 0; process < processesOf(host.config.frontend); process++) {
        const headers = { connection: "close" };
        const answer = await fetch(`${host.url}/v2/health/ready`, { headers }).catch(() => undefined);
        if (answer?.status !== 200) return undefined;
      }
      return true;
    },
    { timeoutMs: 60_000, maxIntervalMs: 300 },
  );

/** Asks over a connection of its own, so that all processes get some; status, or the error's code. */
function predict(host: Host, agent: Agent): Promise<number | string> {
  return new Promise((resolve) => {
    const options = { agent, method: "POST", headers: { "content-type": "application/json", authorization } };
    const request = httpRequest(`${host.url}/v1/predict`, options, (answer) => {
      answer
        .on("end", () => resolve(answer.statusCode ?? 0))
        .on("error", (error) => resolve(error.message))
        .resume();
    });
    request.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    request.end(JSON.stringify({ rows: goldenRows(model).rows.slice(0, 2) }));
  });
}

/** What was counted: requests, failures and rows, by the runtime that was asked. */
async function counters(host: Host): Promise<Record<string, [ok: number, failed: number, rows: number]>> {
  const { body } = await ask(`${host.url}/v1/counters`, undefined, { authorization });
  const counts = body.counters as { worker: string; ok: number; failed: number; rows: number }[];
  return Object.fromEntries(counts.map(({ worker, ok, failed, rows }) => [worker, [ok, failed, rows]]));
}

async function metrics(host: Host) {
  const answer = await fetch(`${host.url}/metrics`, {
    headers: { authorization, connection: "close" },
    signal: AbortSignal.timeout(10_000),
  });
  expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  return samplesIn(await answer.text());
}

const pids = async (host: Host) =>
  (await metrics(host))("process_resident_memory_bytes").map(({ labels }) => Number(labels.process));

describe("a frontend of several processes", () => {
  it("counts right what each runtime answers, also after one and a process were killed, and after a restart", async () => {
    const host = await newHost("counts", { processes: 3 });
    const frontend = start("frontend", host);
    const runtime = start("runtime", host);
    await ready(host);
    let sent = 0;
    const hammer = async (connections: number, requests: number) => {
      const statuses = await Promise.all(
        Array.from({ length: connections }, async () => {
          const agent = new Agent({ keepAlive: true, maxSockets: 1 });
          const seen = new Set<number | string>();
          for (let one = 0; one < requests; one++) seen.add(await predict(host, agent));
          agent.destroy();
          return [...seen];
        }),
      );
      expect([...new Set(statuses.flat())]).toEqual([200]);
      sent += connections * requests;
    };
    await hammer(12, 25);
    const first = "server-g1-default-0";
    expect(await counters(host)).toEqual({ [first]: [sent, 0, 2 * sent] });
    const read = await metrics(host);
    const predictions = read("slipway_http_request_seconds_count").filter(
      ({ labels }) => labels.route === "/v1/predict",
    );
    expect(predictions.map(({ value }) => value)).toEqual([sent]);
    expect(read("slipway_runtime_connected")).toEqual([{ labels: {}, value: 1 }]);
    expect(read("slipway_model_requests_total")).toEqual([
      { labels: { model: "diabetes", version: "1", worker: first, outcome: "ok" }, value: sent },
    ]);
    expect(read("slipway_model_info")[0]?.labels).toMatchObject({ model: "diabetes", version: "1" });

    // all processes count a caller's attempts together
    const guess = () =>
      fetch(`${host.url}/login`, {
        method: "POST",
        body: new URLSearchParams({ token: "guess" }),
        headers: { connection: "close" },
      });
    const guesses = [];
    for (let attempt = 0; attempt < 12; attempt++) guesses.push((await guess()).status);
    expect(guesses).toEqual([...new Array(10).fill(401), 429, 429]);

    const before = await pids(host);
    expect(before).toHaveLength(3);
    await new Promise((resolve) => setTimeout(resolve, 400)); // so that it has told what it counted
    process.kill(before[0] as number, "SIGKILL");
    await waitFor(
      "another process in its place",
      async () => {
        const now = await pids(host).catch(() => [] as number[]);
        return now.length === 3 && !now.includes(before[0] as number) ? true : undefined;
      },
      { timeoutMs: 60_000 },
    );
    const alone = sent;
    start("runtime", host, 1);
    await waitFor(
      "the second runtime",
      async () => ((await metrics(host))("slipway_runtimes")[0]?.value === 2 ? true : undefined),
      { timeoutMs: 60_000 },
    );
    // all processes see the loss: what they asked meanwhile, the other answers
    await runtime.end("SIGKILL");
    await hammer(6, 10);
    const counted = {
      [first]: [alone, 0, 2 * alone],
      "server-g1-default-1": [sent - alone, 0, 2 * (sent - alone)],
    };
    expect(await counters(host)).toEqual(counted);

    expect(await frontend.end("SIGTERM")).toBe(0);
    start("frontend", host);
    await ready(host);
    expect(await counters(host)).toEqual(counted);
  });

  it("answers also who was on the way to a process that is killed", async () => {
    const host = await newHost("handed", { processes: 3 });
    start("frontend", host);
    start("runtime", host);
    await ready(host);
    const [victim] = (await pids(host)) as [number];
    // it takes nothing any more, and one of the next connections is handed to it
    process.kill(victim, "SIGSTOP");
    const agent = new Agent({ keepAlive: false });
    const answers = Array.from({ length: 6 }, () => predict(host, agent));
    await waitFor(
      "the others' answers",
      async () => {
        const settled = await Promise.all(answers.map((answer) => Promise.race([answer, sleep(1, "waits")])));
        return settled.filter((one) => one === "waits").length === 1 || undefined;
      },
      { timeoutMs: 10_000 },
    );
    process.kill(victim, "SIGKILL");
    expect(await Promise.all(answers)).toEqual(new Array(6).fill(200));
  });

  it("answers everything that it has taken when it is stopped under load", async () => {
    const host = await newHost("drain", { processes: 2 });
    const frontend = start("frontend", host);
    start("runtime", host);
    await ready(host);
    const seen = new Map<number | string, number>();
    const clients = Array.from({ length: 8 }, async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      for (;;) {
        const status = await predict(host, agent);
        seen.set(status, (seen.get(status) ?? 0) + 1);
        if (status !== 200) break;
      }
      agent.destroy();
    });
    await waitFor("some answers", async () => ((seen.get(200) ?? 0) > 100 ? true : undefined), { timeoutMs: 20_000 });
    expect(await frontend.end("SIGTERM")).toBe(0);
    await Promise.all(clients);
    // a new connection is refused, or reset where it had not been taken yet; nobody heard half an answer or a 5xx
    expect([...seen.keys()].filter((status) => !["ECONNREFUSED", "ECONNRESET"].includes(`${status}`))).toEqual([200]);
  });

  it("does not start, and does not try for ever, where its port is taken", async () => {
    const host = await newHost("taken", { processes: 2 });
    const squatter = createServer().listen(host.config.frontend.port, "127.0.0.1");
    const frontend = start("frontend", host);
    expect(await frontend.ended).toBe(1);
    expect(frontend.output()).toContain("EADDRINUSE");
    expect(frontend.output()).toContain("cannot start");
    squatter.close();
  });

  it("does not start with timeouts that do not fit", async () => {
    const host = await newHost("unfit", { processes: 2, clientTimeoutMs: 1000 });
    const frontend = start("frontend", host);
    expect(await frontend.ended).toBe(2);
    expect(JSON.parse(frontend.output())).toMatchObject({ code: "E_CONFIG_INVALID", msg: "cannot start" });
  });
});
