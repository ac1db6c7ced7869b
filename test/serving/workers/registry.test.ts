import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { waitFor } from "../../../src/common/wait.ts";
import { connectQueue } from "../../../src/serving/jobs/connection.ts";
import { RegistryFollower } from "../../../src/serving/workers/follower.ts";
import { keepRegistered } from "../../../src/serving/workers/registrar.ts";
import { type HttpWorker, httpWorkerSchema, type RuntimeWorker } from "../../../src/serving/workers/registration.ts";
import {
  type RegistrySnapshot,
  redisRegistry,
  registryKeys,
  type WorkerRegistry,
} from "../../../src/serving/workers/registry.ts";
import { type QueueServer, queueAbsent, startQueueServer } from "../../support/queue-server.ts";

const log = pino({ enabled: false });
const soon = { timeoutMs: 10_000, intervalMs: 20, maxIntervalMs: 50 };

const httpWorker = (localId: string, models = ["fib"]): HttpWorker =>
  httpWorkerSchema.parse({
    kind: "http",
    id: `127.0.0.1-9001-${localId}`,
    host: "127.0.0.1",
    port: 9001,
    localId,
    models,
  });
const runtime = (id: string): RuntimeWorker => ({
  kind: "runtime",
  id,
  address: { host: "10.0.0.5", port: 5200, tls: false },
  group: "default",
  models: [],
  capabilities: { provider: "cpu", threads: 1 },
});

describe.skipIf(queueAbsent)("the workers' registry", () => {
  let folder: string;
  let server: QueueServer;
  let prefix: string;
  let registries = 0;
  const closing: (() => unknown)[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "slipway-workers-"));
    server = await startQueueServer(folder, { persistent: true });
  });
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true });
  });
  beforeEach(() => {
    prefix = `test-${registries++}`;
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  async function open(): Promise<{ registry: WorkerRegistry; connection: Redis }> {
    const connection = await connectQueue(server.queue, { blocking: false });
    connection.on("error", () => undefined);
    closing.push(() => connection.disconnect());
    await waitFor("the connection", async () => (connection.status === "ready" ? true : undefined), soon);
    return { registry: redisRegistry(connection, prefix), connection };
  }

  function follow(registry: WorkerRegistry, ttlMs = 10_000): { follower: RegistryFollower; seen: RegistrySnapshot[] } {
    const { host, port } = server.queue;
    const listening = new Redis({ host, port, password: server.password, retryStrategy: () => 50 });
    const seen: RegistrySnapshot[] = [];
    const onChange = (snapshot: RegistrySnapshot) => seen.push(snapshot);
    const follower = new RegistryFollower({ registry, listening, prefix, ttlMs, log, onChange });
    closing.push(() => follower.close());
    return { follower, seen };
  }

  const idsIn = ({ records }: RegistrySnapshot) => records.map(({ worker }) => worker.id);

  it("loses neither of two changes at once, from different processes", async () => {
    const { registry } = await open();
    const { registry: other } = await open();
    const add = (model: string) => (known: HttpWorker | RuntimeWorker | undefined) =>
      httpWorker("1", [...((known?.models ?? []) as string[]), model]);
    const models = Array.from({ length: 24 }, (_, at) => `m${at}`);
    await Promise.all(models.map((model, at) => (at % 2 ? registry : other).update("127.0.0.1-9001-1", add(model))));
    const [record] = (await registry.read()).records;
    expect([...(record?.worker.models ?? [])].sort()).toEqual([...models].sort());
    expect(record?.alive).toBeUndefined();
  });

  it("has a worker for as long as its heartbeat goes on, and again when it returns", async () => {
    const { registry } = await open();
    await registry.beat(runtime("far-0"), 300);
    expect((await registry.read()).records).toMatchObject([{ worker: { id: "far-0" }, alive: true }]);
    await sleep(350);
    expect((await registry.read()).records).toMatchObject([{ worker: { id: "far-0" }, alive: false }]);
    await registry.beat(runtime("far-0"), 300);
    expect((await registry.read()).records).toMatchObject([{ alive: true, draining: false }]);
  });

  it("keeps a drain over a worker's leaving and return, and forgets it with the worker", async () => {
    const { registry } = await open();
    await registry.beat(runtime("far-0"), 10_000);
    await registry.setDraining("far-0", true);
    await registry.leave("far-0");
    expect((await registry.read()).records).toEqual([]);
    await registry.beat(runtime("far-0"), 10_000);
    expect((await registry.read()).records).toMatchObject([{ draining: true }]);
    expect([await registry.remove("far-0"), await registry.remove("far-0")]).toEqual([true, false]);
    expect((await registry.read()).draining.size).toBe(0);
  });

  it("has one process look at workers at a time, and another one when that has stopped", async () => {
    const { registry } = await open();
    const { registry: other } = await open();
    expect([await registry.lead("a", 200), await other.lead("b", 200), await registry.lead("a", 200)]).toEqual([
      true,
      false,
      true,
    ]);
    await other.stepDown("b");
    expect(await other.lead("b", 200)).toBe(false);
    await waitFor("the lead to end", async () => (await other.lead("b", 200)) || undefined, soon);
    await other.stepDown("b");
    expect(await registry.lead("a", 200)).toBe(true);
  });

  it("passes over what another release wrote, and does not bring removed workers back by their health", async () => {
    const { registry, connection } = await open();
    await connection.hset(registryKeys(prefix).workers, "odd", '{"kind":"quantum","id":"odd"}', "torn", "{");
    await registry.update("127.0.0.1-9001-1", () => httpWorker("1"));
    expect(idsIn(await registry.read())).toEqual(["127.0.0.1-9001-1"]);
    await registry.remove("127.0.0.1-9001-1");
    await registry.setHealth("127.0.0.1-9001-1", { state: "passing", since: "now", failures: 0 }, true);
    expect(await registry.read()).toEqual({ records: [], draining: new Set() });
  });

  it("tells followers of changes at once and of heartbeats that end within a second or two", async () => {
    const { registry } = await open();
    const { follower, seen } = follow(registry, 1);
    await waitFor("the first look", async () => (follower.absence ? undefined : true), soon);
    await sleep(100); // its subscription
    await registry.beat(runtime("far-0"), 600);
    await waitFor("the worker", async () => seen.find((snapshot) => idsIn(snapshot).includes("far-0")), {
      ...soon,
      timeoutMs: 600,
    });
    await waitFor("its end", async () => (seen.at(-1)?.records[0]?.alive === false ? true : undefined), soon);
  });

  it("is kept registered through a restart of the server, followers know the workers meanwhile, and none is lost after it", async () => {
    const { registry } = await open();
    await registry.update("127.0.0.1-9001-1", () => httpWorker("1"));
    const kept = keepRegistered({ registry, worker: () => runtime("far-0"), ttlMs: 1500, heartbeatMs: 100, log });
    closing.push(() => kept.close());
    const { follower, seen } = follow(registry, 1500);
    await waitFor("both", async () => (follower.snapshot.records.length === 2 ? true : undefined), soon);
    await sleep(1200); // the log of appends is on disk by then
    await server.stop();
    await waitFor("the absence", async () => follower.absence, soon);
    await sleep(1600); // longer than a heartbeat lasts
    expect(follower.snapshot.records).toMatchObject([{ worker: { id: "127.0.0.1-9001-1" } }, { alive: true }]);
    await server.restart();
    await waitFor("the return", async () => (follower.absence ? undefined : true), soon);
    await sleep(1600);
    expect((await registry.read()).records).toMatchObject([{ worker: { id: "127.0.0.1-9001-1" } }, { alive: true }]);
    const ends = seen.filter(({ records }) => records.some(({ alive }) => alive === false));
    expect(ends).toEqual([]);
    await kept.close();
    closing.splice(closing.length - 2, 1);
    expect(idsIn(await registry.read())).toEqual(["127.0.0.1-9001-1"]);
  });
});
