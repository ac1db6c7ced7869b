import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { findCommand } from "../../../src/cloud/host-packages.ts";
import { endingWithParent } from "../../../src/common/ending-with-parent.ts";
import { waitFor } from "../../../src/common/wait.ts";
import { newToken } from "../../../src/serving/access/tokens.ts";
import { type QueueServer, queueAbsent, startQueueServer } from "../../support/queue-server.ts";
import { freePort } from "../../support/tcp.ts";
import { type Host, prepareHost, startProcess, startServing, type TestProcess } from "../support.ts";

const admin = newToken("ada", "admin");
const reader = newToken("ron", "read");
const guide = await readFile(
  fileURLToPath(new URL("../../../docs/how-to/external-workers.md", import.meta.url)),
  "utf8",
);
const python = await findCommand("python3");
const soon = { timeoutMs: 15_000, intervalMs: 30, maxIntervalMs: 100 };

/** The guide's block of code in a language; where there are several, the one that holds a text. */
function block(language: string, holding: string): string {
  const blocks = [...guide.matchAll(/^```(\w+)\n(.*?)^```/gms)].filter(([, name]) => name === language);
  const code = blocks.map(([, , text = ""]) => text).find((text) => text.includes(holding));
  if (code === undefined) throw new Error(`the guide has no ${language} with ${holding}`);
  return code;
}

describe.skipIf(queueAbsent)("external workers of a host", () => {
  let folder: string;
  let queue: QueueServer;
  let host: Host;
  let frontend: TestProcess;
  let hook: { url: string; told: { event: string; id: string; message: string }[]; close: () => void };
  const started = new Set<TestProcess>();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "slipway-external-"));
    queue = await startQueueServer(folder, { persistent: true });
    hook = await startHook();
    const tokensFile = join(folder, "tokens.json");
    await writeFile(tokensFile, JSON.stringify({ tokens: [admin.entry, reader.entry] }));
    await mkdir(join(folder, "host"));
    host = await prepareHost(join(folder, "host"), {
      queue: queue.queue,
      runtimes: [{ name: "default", replicas: 1 }],
      workers: {
        probe: { intervalMs: 300, timeoutMs: 300 },
        ttlMs: 1500,
        heartbeatMs: 500,
        deadlineMs: 2000,
        firstPauseMs: 100,
        longestPauseMs: 400,
        webhook: { url: hook.url },
      },
    });
    const file = join(folder, "host", "serving.json");
    const written = JSON.parse(await readFile(file, "utf8")) as { frontend: object };
    Object.assign(written.frontend, { processes: 2, tokensFile, stateDir: join(folder, "state") });
    await writeFile(file, JSON.stringify(written));
    await writeFile(join(folder, "fib.py"), block("python", "def fib"));
    await writeFile(join(folder, "fib.mjs"), block("js", "createServer"));
    frontend = await startFrontend();
  });
  afterAll(async () => {
    await Promise.all([...started].map((process) => process.end("SIGKILL")));
    hook?.close();
    await queue?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  function startHook(): Promise<typeof hook> {
    const told: (typeof hook)["told"] = [];
    const server = createServer(async (request, response) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      told.push(JSON.parse(body));
      response.writeHead(204).end();
    }).listen(0, "127.0.0.1");
    return new Promise((resolve) =>
      server.once("listening", () => {
        const { port } = server.address() as AddressInfo;
        resolve({ url: `http://127.0.0.1:${port}/`, told, close: () => server.close() });
      }),
    );
  }

  async function startFrontend(): Promise<TestProcess> {
    const process = startServing("frontend", host);
    started.add(process);
    const listens = () =>
      fetch(`${host.url}/v2/health/live`).then(
        ({ ok }) => ok || undefined,
        () => undefined,
      );
    await waitFor("the frontend", listens, soon);
    return process;
  }

  async function startWorker(
    port: number,
    command = [process.execPath, join(folder, "fib.mjs")],
  ): Promise<TestProcess> {
    const [program = "", ...args] = await endingWithParent([...command, `${port}`]);
    const worker = startProcess(program, args);
    started.add(worker);
    const listens = () =>
      fetch(`http://127.0.0.1:${port}/`).then(
        () => true as const,
        () => undefined,
      );
    await waitFor(`the worker ${worker.output()}`, listens, soon);
    return worker;
  }

  async function call(method: string, path: string, body?: unknown, token: string = admin.token) {
    const answer = await fetch(`${host.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(20_000),
    });
    const text = await answer.text();
    return {
      status: answer.status,
      worker: answer.headers.get("x-slipway-worker"),
      retryAfter: answer.headers.get("retry-after"),
      // biome-ignore lint/suspicious/noExplicitAny: each test says what it expects
      body: JSON.parse(text) as any,
    };
  }

  const ask = (model: string, n = 10) => call("POST", "/v1/AI_model/predict", { modelId: model, data: { n } });
  const register = (model: string, ...ports: number[]) =>
    call("PUT", "/v1/model_workers_map", {
      AI: { [model]: ports.map((port) => ({ host: "127.0.0.1", port, local_worker_id: "1" })) },
    });
  const idOf = (port: number) => `127.0.0.1-${port}-1`;
  const find = async (port: number) => (await call("GET", `/admin/workers/${idOf(port)}`)).body;
  const untilState = (port: number, state: string) =>
    waitFor(`${port} to be ${state}`, async () => ((await find(port)).state === state ? true : undefined), soon);
  /** All processes of the frontend have heard of a change by then. */
  const everywhere = () => sleep(100);

  /** Asks on `lanes` connections until told to stop; every answer's status, and milliseconds. */
  function load(model: string, lanes = 8) {
    let stopped = false;
    const answers: { status: number; ms: number; at: number; worker: string | null; body: unknown }[] = [];
    const lane = async () => {
      while (!stopped) {
        const at = performance.now();
        const { status, worker, body } = await ask(model, 20);
        answers.push({ status, worker, body, at, ms: performance.now() - at });
      }
    };
    const running = Promise.all(Array.from({ length: lanes }, lane));
    return {
      answers,
      stop: async () => {
        stopped = true;
        await running;
        return answers;
      },
    };
  }

  async function twoWorkers(): Promise<{ ports: [number, number]; workers: [TestProcess, TestProcess] }> {
    const ports: [number, number] = [await freePort(), await freePort()];
    const workers: [TestProcess, TestProcess] = [await startWorker(ports[0]), await startWorker(ports[1])];
    await register("fib", ...ports);
    await everywhere();
    return { ports, workers };
  }

  afterEach(async () => {
    const { workers } = (await call("GET", "/admin/workers")).body as { workers: { id: string; origin: string }[] };
    for (const { id, origin } of workers) if (origin !== "host") await call("DELETE", `/admin/workers/${id}`);
    await everywhere();
  });

  it("serve as the guide says, in the languages that it has", async () => {
    const ports = [await freePort(), await freePort()];
    const commands = [
      [python ?? "", join(folder, "fib.py")],
      [process.execPath, join(folder, "fib.mjs")],
    ].slice(python === undefined ? 1 : 0);
    for (const [at, command] of commands.entries()) await startWorker(ports[at] as number, command);
    const body = /-d '\n(.*?)'/s.exec(block("sh", "model_workers_map"))?.[1]?.replace("9001", `${ports[0]}`);
    const put = await call("PUT", "/v1/model_workers_map", body?.replace("9002", `${ports[1]}`));
    expect(put).toMatchObject({
      status: 200,
      body: { "Register Model Service": "Success", workers: ports.map((port) => `127.0.0.1-${port}-1`) },
    });
    await everywhere();
    const question = /-d '(.*?)'/s.exec(block("sh", "AI_model/predict"))?.[1];
    const askedOf = new Set<string | null>();
    for (let asked = 0; asked < 8; asked++) {
      const answer = await call("POST", "/v1/AI_model/predict", question);
      expect(answer).toMatchObject({ status: 200, body: 55 });
      askedOf.add(answer.worker);
    }
    expect(askedOf.size).toBe(commands.length);
    expect((await call("GET", "/v1/model_workers_map?model-type=AI", undefined, reader.token)).body).toEqual({
      AI: {
        fib: ports
          .toSorted((a, b) => (idOf(a) < idOf(b) ? -1 : 1))
          .map((port) => ({ host: "127.0.0.1", port, local_worker_id: "1" })),
      },
    });
    expect(await find(ports[0] as number)).toMatchObject({
      origin: "admin",
      models: ["fib"],
      describes: { app: "fib", functions: { fib: { path: "/fib" } } },
    });
    const wrong = await call("POST", "/v1/AI_model/predict", { modelId: "fib", data: { m: 1 } });
    expect(wrong).toMatchObject({ status: 422, body: { error: { code: "WORKER_REFUSED" } } });
  });

  it("are refused with a reason where they may not be, and change nothing for who may not", async () => {
    const at = (where: string, port = 80) => ({ AI: { fib: [{ host: where, port, local_worker_id: "1" }] } });
    expect(await call("PUT", "/v1/model_workers_map", at("169.254.169.254"))).toMatchObject({
      status: 400,
      body: { error: { code: "ADDRESS_REFUSED", message: "169.254.169.254 is never asked" } },
    });
    expect((await call("PUT", "/v1/model_workers_map", at("8.8.8.8"))).body.error.code).toBe("ADDRESS_REFUSED");
    expect(await call("PUT", "/v1/model_workers_map", { CV: {} })).toMatchObject({
      status: 400,
      body: { error: { code: "REQUEST_INVALID", message: expect.stringContaining("the only type of models is AI") } },
    });
    expect((await call("PUT", "/v1/model_workers_map", at("127.0.0.1"), reader.token)).status).toBe(403);
    expect((await call("GET", "/admin/workers", undefined, reader.token)).status).toBe(403);
    expect((await call("GET", "/v1/model_workers_map")).status).toBe(400);
    expect(await ask("nobodys")).toMatchObject({ status: 404, body: { error: { code: "MODEL_UNKNOWN" } } });
    expect((await call("POST", "/admin/workers/nobody/drain")).body.error.code).toBe("WORKER_UNKNOWN");
    expect((await call("GET", "/admin/workers")).body).toMatchObject({
      workers: [
        {
          id: "server-g1-default-0",
          origin: "host",
          state: "failing",
          reason: expect.stringMatching(/^it is not connected: connect ENOENT /),
        },
      ],
      registry: { state: "answers" },
    });
  });

  it("cost no request when one is killed under load, and the killed one comes back by itself", async () => {
    const { ports, workers } = await twoWorkers();
    const under = load("fib");
    await sleep(500);
    await workers[0].end("SIGKILL");
    await sleep(1000);
    const killed = await under.stop();
    expect(killed.filter(({ status, body }) => status !== 200 || body !== 6765)).toEqual([]);
    expect(new Set(killed.map(({ worker }) => worker)).size).toBe(2);
    await untilState(ports[0], "failing");
    await startWorker(ports[0]);
    await untilState(ports[0], "passing");
    await waitFor(
      "an answer of the one that is back",
      async () => (await ask("fib")).worker === idOf(ports[0]) || undefined,
      soon,
    );
    // one message each way, although two processes look
    await waitFor(
      "the messages",
      async () => hook.told.filter(({ id }) => id === idOf(ports[0])).length === 2 || undefined,
      soon,
    );
    expect(hook.told.filter(({ id }) => id === idOf(ports[0]))).toMatchObject([
      { event: "down", message: expect.stringMatching(/^worker \S+ \(fib\) is down: .*ECONNREFUSED/) },
      { event: "up", message: `worker ${idOf(ports[0])} (fib) is up again` },
    ]);
  });

  it("cost no request when one is stopped under load, which is then avoided until it goes on", async () => {
    const { ports, workers } = await twoWorkers();
    const under = load("fib");
    await sleep(300);
    process.kill(workers[0].pid, "SIGSTOP");
    await sleep(4000);
    const stopped = await under.stop();
    expect(stopped.filter(({ status, body }) => status !== 200 || body !== 6765)).toEqual([]);
    // half of the deadline, then another one: whoever asks later is not held up at all, but for who tries whether it is back
    const end = Math.max(...stopped.map(({ at }) => at));
    const late = stopped.filter(({ at }) => at > end - 1000);
    expect(late.length).toBeGreaterThan(50);
    expect(late.filter(({ ms }) => ms > 900).length).toBeLessThan(8);
    process.kill(workers[0].pid, "SIGCONT");
    await waitFor(
      "an answer of the one that goes on",
      async () => (await ask("fib")).worker === idOf(ports[0]) || undefined,
      soon,
    );
  });

  it("get nothing new while they drain, and again when they are resumed", async () => {
    const { ports } = await twoWorkers();
    expect((await call("POST", `/admin/workers/${idOf(ports[0])}/drain`)).body).toMatchObject({ state: "draining" });
    await everywhere();
    const of = async (count: number) => {
      const answers = await Promise.all(Array.from({ length: count }, () => ask("fib")));
      return new Set(answers.map(({ worker }) => worker));
    };
    expect(await of(20)).toEqual(new Set([idOf(ports[1])]));
    await call("POST", `/admin/workers/${idOf(ports[1])}/drain`);
    await everywhere();
    expect(await ask("fib")).toMatchObject({
      status: 503,
      retryAfter: expect.stringMatching(/^\d+$/),
      body: {
        error: {
          code: "WORKERS_UNAVAILABLE",
          message: expect.stringMatching(/asked: 127\.0\.0\.1-\d+-1 is draining; 127\.0\.0\.1-\d+-1 is draining$/),
        },
      },
    });
    for (const port of ports) await call("POST", `/admin/workers/${idOf(port)}/resume`);
    await everywhere();
    expect(await of(20)).toEqual(new Set(ports.map(idOf)));
  });

  it("are asked on while the registry is away, which is told, and nothing is lost by its return", async () => {
    const { ports } = await twoWorkers();
    await sleep(1200); // the server's log of appends is on disk by then
    await queue.stop();
    const isAway = async () => (await call("GET", "/admin/workers")).body.registry.state === "away" || undefined;
    await waitFor("the absence", isAway, soon);
    expect(await ask("fib")).toMatchObject({ status: 200, body: 55 });
    expect(await register("fib", ports[0])).toMatchObject({
      status: 503,
      body: { error: { code: "REGISTRY_UNAVAILABLE" } },
    });
    await queue.restart();
    const isBack = async () => (await call("GET", "/admin/workers")).body.registry.state === "answers" || undefined;
    await waitFor("the return", isBack, soon);
    expect(await ask("fib")).toMatchObject({ status: 200, body: 55 });
    expect((await find(ports[1])).models).toEqual(["fib"]);
  });

  it("that register themselves for a time are gone when they do not again", async () => {
    const port = await freePort();
    await startWorker(port);
    const put = { host: "127.0.0.1", port, models: ["fib"], token: "s3cret", ttlSeconds: 1 };
    const answer = await call("PUT", "/admin/workers", put);
    expect(answer).toMatchObject({ status: 200, body: { origin: "itself", state: "passing", token: true } });
    expect(JSON.stringify(answer.body)).not.toContain("s3cret");
    await everywhere();
    expect(await ask("fib")).toMatchObject({ status: 200, body: 55 });
    await untilState(port, "failing");
    expect((await find(port)).reason).toContain("heartbeat");
    expect((await ask("fib")).status).toBe(503);
  });

  it("are counted once for each request, in all processes, and the counts outlast a killed frontend", async () => {
    const { workers } = await twoWorkers();
    const counted = async () =>
      (
        (await call("GET", "/v1/counters")).body.counters as {
          model: string;
          ok: number;
          failed: number;
          rows: number;
          milliseconds: number;
        }[]
      )
        .filter(({ model }) => model === "fib")
        .reduce(
          (sum, { ok, failed, rows, milliseconds }) => ({
            ok: sum.ok + ok,
            failed: sum.failed + failed,
            rows: sum.rows + rows,
            milliseconds: sum.milliseconds + milliseconds,
          }),
          { ok: 0, failed: 0, rows: 0, milliseconds: 0 },
        );
    const before = await counted();
    const under = load("fib", 16);
    await sleep(500);
    await workers[0].end("SIGKILL");
    const refused = await Promise.all(
      Array.from({ length: 5 }, () => call("POST", "/v1/AI_model/predict", { modelId: "fib", data: {} })),
    );
    await sleep(300);
    const answers = await under.stop();
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    expect(refused.map(({ status }) => status)).toEqual([422, 422, 422, 422, 422]);
    const after = await counted();
    expect([after.ok - before.ok, after.rows - before.rows]).toEqual([answers.length, answers.length]);
    expect(after.failed - before.failed).toBe(5);
    expect(after.milliseconds).toBeGreaterThan(before.milliseconds);
    await sleep(700); // a quarter of a second until the processes have told, another until it is in the file
    await frontend.end("SIGKILL");
    frontend = await startFrontend();
    expect(await counted()).toEqual(after);
  });

  it("make the host's health for a load balancer", async () => {
    expect(await call("GET", "/elb-healthcheck")).toMatchObject({
      status: 503,
      retryAfter: "1",
      body: {
        capacity: 0,
        error: { code: "WORKERS_UNAVAILABLE", message: expect.stringContaining("server-g1-default-0") },
      },
    });
    const { ports, workers } = await twoWorkers();
    await ask("fib");
    const health = await call("GET", "/elb-healthcheck");
    expect(health).toMatchObject({
      status: 200,
      body: { uptime: expect.any(Number), capacity: 67, Alive_info: { [idOf(ports[0])]: { state: "passing" } } },
    });
    const asked = Object.entries(health.body.requests.fib as Record<string, number>).filter(([id]) =>
      ports.some((port) => id === idOf(port)),
    );
    expect(asked.reduce((sum, [, count]) => sum + count, 0)).toBe(1);
    await workers[0].end("SIGKILL");
    await untilState(ports[0], "failing");
    expect(await call("GET", "/elb-healthcheck")).toMatchObject({
      status: 200,
      body: { capacity: 33, Alive_info: { [idOf(ports[0])]: { state: "failing" } } },
    });
  });
});
