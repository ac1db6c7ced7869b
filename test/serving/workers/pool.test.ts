import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { waitFor } from "../../../src/common/wait.ts";
import { WorkerCaller } from "../../../src/serving/workers/call.ts";
import { AddressGuard } from "../../../src/serving/workers/networks.ts";
import { type Outcome, WorkerPool } from "../../../src/serving/workers/pool.ts";
import {
  type HttpWorker,
  httpWorkerSchema,
  type WorkerHealth,
  type WorkerRecord,
} from "../../../src/serving/workers/registration.ts";
import { workersConfig } from "../../../src/serving/workers/settings.ts";
import { freePort } from "../../support/tcp.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  closing.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** A worker in this process that answers as it is told. */
async function worker(answer: RequestListener): Promise<number> {
  const server = createServer(answer);
  const port = await listen(server);
  closing.push(() => server.closeAllConnections());
  return port;
}

const json =
  (status: number, value: unknown): RequestListener =>
  (request, response) => {
    request.resume().on("end", () => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    });
  };

const record = (port: number, more: Partial<HttpWorker> = {}, rest: Partial<WorkerRecord> = {}): WorkerRecord => ({
  worker: httpWorkerSchema.parse({
    kind: "http",
    id: `w${port}`,
    host: "127.0.0.1",
    port,
    localId: "1",
    models: ["fib"],
    ...more,
  }),
  draining: false,
  ...rest,
});

function poolOf(records: WorkerRecord[], changes: object = {}, networks = ["127.0.0.0/8"]) {
  const settings = workersConfig.parse({
    deadlineMs: 1500,
    answerBytes: 4096,
    failures: 2,
    firstPauseMs: 150,
    ...changes,
  });
  const caller = new WorkerCaller(new AddressGuard(networks));
  closing.push(() => caller.close());
  const outcomes: Outcome[] = [];
  const failovers: string[] = [];
  const pool = new WorkerPool({
    settings,
    caller,
    onOutcome: (outcome) => outcomes.push(outcome),
    onFailover: (_model, id, failure) => failovers.push(`${id} ${failure}`),
  });
  pool.update(records);
  const ask = (body: unknown = { n: 10 }, signal?: AbortSignal) =>
    pool.ask("fib", Buffer.from(JSON.stringify(body)), signal).then(
      ({ json: text, worker: id }) => `${id} ${text}`,
      (error: { reason: string; message: string }) => error,
    );
  return { pool, ask, outcomes, failovers };
}

describe("a pool of external workers", () => {
  it("asks POST /<model> with the arguments as JSON and the worker's own token, and hands the answer's text on", async () => {
    const heard: unknown[] = [];
    const port = await worker((request, response) => {
      let body = "";
      request.on("data", (chunk) => {
        body += chunk;
      });
      request.on("end", () => {
        const { authorization, "content-type": type } = request.headers;
        heard.push(request.method, request.url, authorization, type, body);
        response.writeHead(200, { "content-type": "application/json; charset=utf-8" }).end("55 ");
      });
    });
    const { ask } = poolOf([record(port, { token: "s3cret" })]);
    expect(await ask({ n: 10 })).toBe(`w${port} 55 `);
    expect(heard).toEqual(["POST", "/fib", "Token s3cret", "application/json", '{"n":10}']);
  });

  it("asks each worker by its weight while all have something under way", async () => {
    let most = 0;
    const under = new Map<number, number>();
    const slow = async () => {
      const port: number = await worker((request, response) => {
        under.set(port, (under.get(port) ?? 0) + 1);
        most = Math.max(most, ...under.values());
        setTimeout(() => {
          under.set(port, (under.get(port) ?? 0) - 1);
          json(200, "ok")(request, response);
        }, 100);
      });
      return port;
    };
    const [heavy, light] = [await slow(), await slow()];
    const { ask, outcomes } = poolOf([record(heavy, { weight: 3 }), record(light)]);
    await Promise.all(Array.from({ length: 40 }, () => ask()));
    const asked = (port: number) => outcomes.filter(({ worker: id }) => id === `w${port}`).length;
    expect([asked(heavy), asked(light)]).toEqual([30, 10]);
    expect(most).toBe(30);
  });

  it.each<[string, (port: number) => Promise<number>, string]>([
    ["is not there", async () => freePort(), "unreachable"],
    [
      "hangs up without an answer",
      async () => listen(createTcpServer((peer) => peer.once("data", () => peer.destroy()))),
      "broken",
    ],
    [
      "answers what is no HTTP",
      async () => listen(createTcpServer((peer) => peer.once("data", () => peer.end("+PONG\r\n\r\n")))),
      "broken",
    ],
    [
      "ends its answer too soon",
      async () =>
        worker((_request, response) => {
          response.writeHead(200, { "content-type": "application/json", "content-length": 100 }).write('{"half":');
          setTimeout(() => response.destroy(), 20);
        }),
      "broken",
    ],
    ["answers with 502", async () => worker(json(502, {})), "broken"],
    ["says that the function failed", async () => worker(json(500, { error: "ValueError: no" })), "function"],
    [
      "answers text",
      async () => worker((_request, response) => response.writeHead(200, { "content-type": "text/html" }).end("<p>55")),
      "answer",
    ],
    [
      "answers JSON that is none",
      async () =>
        worker((_request, response) => response.writeHead(200, { "content-type": "application/json" }).end("NaN")),
      "answer",
    ],
    ["answers more than is read", async () => worker(json(200, "x".repeat(5000))), "answer"],
    [
      "answers without end",
      async () =>
        worker((_request, response) => {
          response.writeHead(200, { "content-type": "application/json" });
          const pour = setInterval(() => response.write("1".repeat(1000)), 1);
          response.on("close", () => clearInterval(pour));
        }),
      "answer",
    ],
    [
      "sends its answer byte by byte",
      async () =>
        worker((_request, response) => {
          response.writeHead(200, { "content-type": "application/json" });
          const drip = setInterval(() => response.write("1"), 50);
          response.on("close", () => clearInterval(drip));
        }),
      "timeout",
    ],
    ["does not answer", async () => worker(() => undefined), "timeout"],
    ["has no such function", async () => worker(json(404, { error: "not found" })), "unknown-model"],
    ["refuses the token", async () => worker(json(403, { error: "Invalid token" })), "token"],
    ["has no room", async () => worker(json(503, { error: "busy" })), "busy"],
    [
      "sends elsewhere",
      async (elsewhere) =>
        worker((_request, response) =>
          response.writeHead(307, { location: `http://127.0.0.1:${elsewhere}/fib`, "content-length": 0 }).end(),
        ),
      "answer",
    ],
  ])("asks another worker when one %s", async (_what, broken, failure) => {
    let asked = 0;
    const good = await worker((request, response) => {
      asked++;
      json(200, 55)(request, response);
    });
    const bad = await broken(good);
    const { ask, outcomes, failovers, pool } = poolOf([record(bad), record(good)]);
    expect(await ask()).toBe(`w${good} 55`);
    expect([failovers, asked]).toEqual([[`w${bad} ${failure}`], 1]);
    expect(outcomes.map(({ worker: id, ok }) => [id, ok])).toEqual([[`w${good}`, true]]);

    // one that fails again and again while another answers is taken out; alone it is told why
    const breaker = pool.find(`w${bad}`)?.breaker;
    for (let more = 0; more < 4; more++) await ask();
    if (failure !== "busy") expect(breaker?.state(performance.now())).not.toBe("closed");
    const alone = poolOf([record(bad)], { deadlineMs: 400 });
    const error = await alone.ask();
    expect(error).toMatchObject({ reason: failure === "unreachable" ? "none" : failure });
    expect(alone.outcomes).toMatchObject([{ worker: `w${bad}`, ok: false }]);
  });

  it("takes a request that makes every worker fail for the request's fault", async () => {
    const ports = [await worker(json(500, { error: "E: x" })), await worker(json(500, { error: "E: x" }))];
    const { ask, pool } = poolOf(ports.map((port) => record(port)));
    for (let more = 0; more < 5; more++)
      expect(await ask()).toMatchObject({ reason: "function", message: expect.stringContaining("E: x") });
    expect(pool.workers.map(({ breaker }) => breaker.state(performance.now()))).toEqual(["closed", "closed"]);
  });

  it("does not ask again what the caller did wrong", async () => {
    const port = await worker(json(422, { error: "unexpected argument m" }));
    const { ask, failovers } = poolOf([record(port), record(await worker(json(200, 1)), { weight: 0.001 })]);
    expect(await ask()).toMatchObject({ reason: "refused", status: 422, message: "unexpected argument m" });
    expect(failovers).toEqual([]);
  });

  it("does not ask twice what must not happen twice, unless it is known not to have begun", async () => {
    const dropping = await listen(createTcpServer((peer) => peer.once("data", () => peer.destroy())));
    let asked = 0;
    const good = await worker((request, response) => {
      asked++;
      json(200, 1)(request, response);
    });
    const impure = { pure: false };
    const first = poolOf([record(dropping, impure), record(good, { ...impure, weight: 0.001 })]);
    expect(await first.ask()).toMatchObject({ reason: "broken", retryAfter: undefined, mayHaveRun: true });
    expect(asked).toBe(0);
    const second = poolOf([record(await freePort(), impure), record(good, { ...impure, weight: 0.001 })]);
    expect(await second.ask()).toBe(`w${good} 1`);
  });

  it("lets a worker that failed come back by itself, after a pause that grows", async () => {
    let broken = true;
    const bad = await worker((request, response) => json(broken ? 502 : 200, "bad")(request, response));
    const { ask, pool } = poolOf([record(bad)]);
    await ask();
    await ask();
    expect(await ask()).toMatchObject({
      reason: "none",
      message: expect.stringContaining(`w${bad} failed: status 502`),
      retryAfter: 1,
    });
    await sleep(160);
    expect(await ask()).toMatchObject({ reason: "broken" });
    expect(pool.find(`w${bad}`)?.breaker.state(performance.now() + 200)).toBe("open");
    broken = false;
    const answer = async () => ((await ask()) === `w${bad} "bad"` ? true : undefined);
    await waitFor("the worker", answer, { timeoutMs: 3000, intervalMs: 20, maxIntervalMs: 20 });
    expect(pool.find(`w${bad}`)?.breaker.state(performance.now())).toBe("closed");
  });

  it("does not ask who drains, has stopped its heartbeat or fails its probe, and says so worker by worker", async () => {
    const port = await worker(json(200, 1));
    const failing: WorkerHealth = { state: "failing", since: "", failures: 1, reason: "no connection" };
    const { ask, pool } = poolOf([
      record(port, { id: "a" }, { draining: true }),
      record(port, { id: "b" }, { alive: false }),
      record(port, { id: "c" }, { health: failing }),
    ]);
    expect(await ask()).toMatchObject({
      reason: "none",
      message:
        "no worker of fib can be asked: a is draining; b has stopped its heartbeat; c fails its probe: no connection",
    });
    pool.update([record(port, { id: "c" }, { health: { ...failing, state: "passing" } })]);
    expect(await ask()).toBe("c 1");
  });

  it("bounds what is under way at a worker, and frees it when callers go away", async () => {
    const port = await worker(() => undefined);
    const { ask, pool } = poolOf([record(port)], { inFlight: 2 });
    const gone = new AbortController();
    const asked = [ask({}, gone.signal), ask({}, gone.signal)];
    expect(await ask()).toMatchObject({ reason: "busy", retryAfter: expect.any(Number) });
    gone.abort();
    await Promise.all(asked);
    expect(pool.find(`w${port}`)).toMatchObject({ inFlight: 0, lastFailure: undefined });
    expect(pool.find(`w${port}`)?.breaker.state(performance.now())).toBe("closed");
  });

  it("asks no address that is not allowed, whatever the registry says", async () => {
    const port = await worker(json(200, 1));
    const { ask } = poolOf([record(port), record(port, { id: "name", host: "localhost" })], {}, ["10.0.0.0/8"]);
    expect(await ask()).toMatchObject({ reason: "none", message: expect.stringContaining("allowed networks") });
    const metadata = poolOf([record(80, { host: "169.254.169.254" })], {}, ["0.0.0.0/0"]);
    expect(await metadata.ask()).toMatchObject({ message: expect.stringContaining("169.254.169.254 is never asked") });
  });
});
