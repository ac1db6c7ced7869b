import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { digestOf } from "../../../src/common/digest.ts";
import { waitFor } from "../../../src/common/wait.ts";
import type { ServedModel } from "../../../src/serving/routing/question.ts";
import { Router } from "../../../src/serving/routing/router.ts";
import { encodeFrame, encodeTensors, FrameKind, FrameReader, tensorsIn } from "../../../src/serving/runtime/frames.ts";
import { floatRows, floatsIn } from "../../../src/serving/tensors/raw-tensor.ts";
import { registryConnections } from "../../../src/serving/workers/connections.ts";
import { inventoryOf } from "../../../src/serving/workers/inventory.ts";
import { keepRegistered } from "../../../src/serving/workers/registrar.ts";
import { redisRegistry } from "../../../src/serving/workers/registry.ts";
import { workersConfig } from "../../../src/serving/workers/settings.ts";
import { openWorkers } from "../../../src/serving/workers/workers.ts";
import { type QueueServer, queueAbsent, startQueueServer } from "../../support/queue-server.ts";
import { binaryCard } from "../cards.ts";

const log = pino({ enabled: false });
const soon = { timeoutMs: 10_000, intervalMs: 20, maxIntervalMs: 50 };
const model = { name: "sum", version: "1", digest: digestOf("sum") };
const card = binaryCard(2);

describe.skipIf(queueAbsent)("runtimes of other hosts", () => {
  let folder: string;
  let server: QueueServer;
  const closing: (() => unknown)[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "slipway-far-"));
    server = await startQueueServer(folder);
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true });
  });

  const queueOf = (prefix: string) => registryConnections({ ...server.queue, prefix }, log);

  /** A runtime that answers the sum of each row after a while, by TCP; registered until it leaves. */
  async function startRuntime(id: string, prefix: string, delayMs = 0) {
    const peers = new Set<Socket>();
    let asked = 0;
    const listening = createServer((peer) => {
      peers.add(peer.on("close", () => peers.delete(peer)).on("error", () => undefined));
      const hello = { id, group: "default", onnxruntime: "none", provider: "cpu", batchRows: 100 };
      const models = [{ slot: 1, model, card, live: true, default: true }];
      peer.write(encodeFrame(FrameKind.hello, 0, { ...hello, models }));
      const reader = new FrameReader();
      peer.on("data", async (chunk) => {
        for (const { id: question, slot, body } of reader.push(chunk)) {
          asked++;
          await sleep(delayMs);
          const values = floatsIn(tensorsIn(body)[0]);
          const sums = Float32Array.from(
            { length: values.length / 2 },
            (_, row) => (values[2 * row] ?? 0) + (values[2 * row + 1] ?? 0),
          );
          peer.write(encodeTensors(FrameKind.predictions, question, slot, [floatRows(sums, sums.length)]));
        }
      });
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => listening.once("listening", resolve));
    const { port } = listening.address() as AddressInfo;
    const { connection, listening: unused } = await queueOf(prefix);
    unused.disconnect();
    closing.push(() => connection.disconnect());
    const kept = keepRegistered({
      registry: redisRegistry(connection, prefix),
      worker: () => ({
        kind: "runtime",
        id,
        address: { host: "127.0.0.1", port, tls: false },
        group: "default",
        models: [model],
        capabilities: { provider: "cpu", device: "a CPU", threads: 2, batchRows: 100 },
      }),
      ttlMs: 900,
      heartbeatMs: 200,
      log,
    });
    const stop = async () => {
      listening.close();
      for (const peer of peers) peer.destroy();
    };
    closing.push(stop);
    let left: Promise<void> | undefined;
    const leave = () => (left ??= kept.close());
    closing.push(leave);
    return { asked: () => asked, leave, stop, port, peers };
  }

  async function frontend(prefix: string) {
    const router = new Router({ sockets: [], deadlineMs: 3000, inFlightRows: 500 });
    closing.push(() => router.close());
    const settings = workersConfig.parse({ ttlMs: 900, heartbeatMs: 200, probe: { intervalMs: 200, timeoutMs: 200 } });
    const workers = openWorkers({ settings, own: [], router, queue: await queueOf(prefix), log });
    closing.push(() => workers.close());
    await workers.settle();
    const ask = async () => {
      const { outputs } = await router.predict(router.find("sum") as ServedModel, [
        floatRows(Float32Array.of(1, 2), 1),
      ]);
      return floatsIn(outputs[0])[0];
    };
    const untilRuntimes = (...ids: string[]) =>
      waitFor(
        `the runtimes ${ids}`,
        async () =>
          router.runtimes
            .map(({ id }) => id)
            .sort()
            .join() === ids.join() || undefined,
        soon,
      );
    return { router, workers, ask, untilRuntimes };
  }

  it("are asked as soon as they register, and no more when they leave; what they were asked they answer", async () => {
    const { workers, ask, untilRuntimes } = await frontend("leave");
    const first = await startRuntime("far-0", "leave", 300);
    await untilRuntimes("far-0");
    expect(await ask()).toBe(3);
    expect(inventoryOf(workers)).toMatchObject([
      {
        id: "far-0",
        origin: "itself",
        state: "passing",
        models: ["sum 1"],
        capabilities: { provider: "cpu", device: "a CPU", threads: 2 },
      },
    ]);
    const second = await startRuntime("far-1", "leave");
    await untilRuntimes("far-0", "far-1");
    const under = ask();
    await sleep(50);
    await first.leave();
    await untilRuntimes("far-1");
    expect(await under).toBe(3);
    expect([first.asked(), second.asked()]).toEqual([2, 0]);
    expect(await ask()).toBe(3);
    expect(second.asked()).toBe(1);
    await waitFor("the hanging up", async () => first.peers.size === 0 || undefined, soon);
  });

  it("get nothing while they drain, keep their connection, and are asked again when resumed", async () => {
    const { workers, ask, untilRuntimes } = await frontend("drain");
    const runtimes = [await startRuntime("far-0", "drain"), await startRuntime("far-1", "drain")];
    await untilRuntimes("far-0", "far-1");
    const { registry } = workers.followed as NonNullable<typeof workers.followed>;
    await registry.setDraining("far-0", true);
    await untilRuntimes("far-1");
    for (let asked = 0; asked < 5; asked++) await ask();
    expect(runtimes.map(({ asked }) => asked())).toEqual([0, 5]);
    expect(inventoryOf(workers).map(({ id, state }) => [id, state])).toEqual([
      ["far-0", "draining"],
      ["far-1", "passing"],
    ]);
    expect(runtimes[0]?.peers.size).toBe(1);
    await registry.setDraining("far-0", false);
    await untilRuntimes("far-0", "far-1");
  });

  it("are left when their heartbeat ends, and taken back by themselves", async () => {
    const { workers, ask, untilRuntimes } = await frontend("expire");
    const { connection, listening } = await queueOf("expire");
    closing.push(() => connection.disconnect());
    listening.disconnect();
    const runtime = await startRuntime("far-0", "expire");
    await untilRuntimes("far-0");
    // one beat, and then no more: as of a host that hangs
    const worker = (await redisRegistry(connection, "expire").read()).records[0]?.worker;
    await runtime.leave();
    await untilRuntimes();
    await redisRegistry(connection, "expire").beat(worker as NonNullable<typeof worker>, 1000);
    await untilRuntimes("far-0");
    await untilRuntimes();
    await waitFor(
      "the state",
      async () => inventoryOf(workers)[0]?.reason === "its heartbeat ended" || undefined,
      soon,
    );
    await redisRegistry(connection, "expire").beat(worker as NonNullable<typeof worker>, 10_000);
    await untilRuntimes("far-0");
    expect(await ask()).toBe(3);
  });

  it("cost no question when one is cut off over it", async () => {
    const { ask, untilRuntimes } = await frontend("cut");
    const runtimes = [await startRuntime("far-0", "cut", 200), await startRuntime("far-1", "cut", 200)];
    await untilRuntimes("far-0", "far-1");
    const under = Promise.all(Array.from({ length: 5 }, ask));
    await sleep(50);
    await runtimes[0]?.stop();
    expect(await under).toEqual([3, 3, 3, 3, 3]);
    const probe = connect(runtimes[0]?.port ?? 0, "127.0.0.1");
    await expect(
      new Promise((resolve, reject) => probe.once("connect", resolve).once("error", reject)),
    ).rejects.toThrow();
  });
});
