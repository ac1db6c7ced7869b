import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { digestOf } from "../../../src/common/digest.ts";
import { waitFor } from "../../../src/common/wait.ts";
import { RuntimeClient, type RuntimeClientOptions } from "../../../src/serving/runtime/client.ts";
import { encodeFrame } from "../../../src/serving/runtime/frames.ts";
import type { Hello } from "../../../src/serving/runtime/hello.ts";
import { type RuntimeServerOptions, serveRuntime } from "../../../src/serving/runtime/server.ts";

const hello: Hello = {
  model: { name: "sum", version: "1", digest: digestOf("sum") },
  card: {
    schemaVersion: 1,
    input: { name: "input", features: 2 },
    output: { kind: "binary", name: "output", threshold: 0.5 },
    source: { format: "onnx", files: [] },
  },
  onnxruntime: "none",
};

/** Adds the two numbers of each row. */
const sum = async (values: Float32Array, rows: number) =>
  Float32Array.from({ length: rows }, (_, row) => (values[2 * row] as number) + (values[2 * row + 1] as number));

let folder: string;
let socket: string;
const closing: (() => unknown)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-runtime-"));
  socket = join(folder, "runtime.sock");
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await rm(folder, { recursive: true });
});

async function serve(changes: Partial<RuntimeServerOptions> = {}) {
  const limits = { batchRows: 100, queueRows: 1000 };
  const log = pino({ enabled: false });
  const server = await serveRuntime({ socket, hello, compute: sum, limits, log, ...changes });
  closing.push(server.close);
  return server;
}

async function connected(changes: Partial<RuntimeClientOptions> = {}) {
  const client = new RuntimeClient({ socket, deadlineMs: 2000, inFlightRows: 500, ...changes });
  closing.push(() => client.close());
  await waitFor("the runtime", async () => client.hello, { timeoutMs: 5000, intervalMs: 5 });
  return client;
}

describe("a client of the runtime", () => {
  it("gets the outputs of its rows and hears which model made them", async () => {
    await serve();
    const client = await connected();
    const { outputs, hello: by } = await client.predict(Float32Array.of(1, 2, 30, 40), 2);
    expect([...outputs]).toEqual([3, 70]);
    expect(by).toEqual(hello);
  });

  it("sends what is asked for in one turn as one frame, and gives everyone his own", async () => {
    const batches: number[] = [];
    await serve({
      compute: (values, rows) => {
        batches.push(rows);
        return sum(values, rows);
      },
    });
    const client = await connected();
    const answers = await Promise.all([1, 2, 3].map((value) => client.predict(Float32Array.of(value, value), 1)));
    expect(answers.map(({ outputs }) => [...outputs])).toEqual([[2], [4], [6]]);
    expect(batches).toEqual([3]);
  });

  it("fails at once while there is no runtime, and finds one that comes", async () => {
    const client = new RuntimeClient({ socket, deadlineMs: 2000, inFlightRows: 500 });
    closing.push(() => client.close());
    await expect(client.predict(Float32Array.of(1, 2), 1)).rejects.toMatchObject({ reason: "unavailable" });
    await serve();
    await waitFor("the runtime", async () => client.hello, { timeoutMs: 5000, intervalMs: 5 });
    await expect(client.predict(Float32Array.of(1, 2), 1)).resolves.toBeDefined();
  });

  it("fails what is under way when its runtime goes, and learns the next one's model", async () => {
    const dying = createServer((peer) => {
      peer.write(encodeFrame({ kind: 1, id: 0, rows: 0, body: Buffer.from(JSON.stringify(hello)) }));
      peer.once("data", () => {
        peer.destroy();
        dying.close();
      });
    }).listen(socket);
    const client = await connected();
    await expect(client.predict(Float32Array.of(1, 2), 1)).rejects.toMatchObject({ reason: "unavailable" });
    const next = { ...hello, model: { ...hello.model, version: "2" } };
    await serve({ hello: next });
    await waitFor("the next runtime", async () => client.hello, { timeoutMs: 5000, intervalMs: 5 });
    expect((await client.predict(Float32Array.of(1, 2), 1)).hello.model.version).toBe("2");
  });

  it.each([
    ["a failure that is no JSON", { kind: 4, body: Buffer.from("{") }],
    ["numbers for other rows than were asked", { kind: 3, body: Buffer.alloc(8) }],
    ["a kind of frame that does not exist", { kind: 9, body: Buffer.alloc(0) }],
  ])("does not hang when the runtime answers with %s", async (_what, frame) => {
    const broken = createServer((peer) => {
      peer.write(encodeFrame({ kind: 1, id: 0, rows: 0, body: Buffer.from(JSON.stringify(hello)) }));
      peer.once("data", (sent) => peer.write(encodeFrame({ ...frame, id: sent.readUInt32LE(8), rows: 1 })));
    }).listen(socket);
    closing.push(() => broken.close());
    const client = await connected({ deadlineMs: 60_000 });
    await expect(client.predict(Float32Array.of(1, 2), 1)).rejects.toMatchObject({ reason: "unavailable" });
  });

  it("gives up at its deadline and is not confused by the late answer", async () => {
    let delayMs = 200;
    await serve({
      compute: async (values, rows) => {
        await sleep(delayMs);
        return sum(values, rows);
      },
    });
    const client = await connected({ deadlineMs: 100 });
    await expect(client.predict(Float32Array.of(1, 2), 1)).rejects.toMatchObject({ reason: "deadline" });
    delayMs = 0;
    await sleep(150);
    expect([...(await client.predict(Float32Array.of(5, 6), 1)).outputs]).toEqual([11]);
  });

  it("refuses more rows than may be under way, and counts them back", async () => {
    await serve();
    const client = await connected({ inFlightRows: 2 });
    const first = client.predict(Float32Array.of(1, 2, 3, 4), 2);
    await expect(client.predict(Float32Array.of(1, 2), 1)).rejects.toMatchObject({ reason: "overloaded" });
    await first;
    await expect(client.predict(Float32Array.of(1, 2), 1)).resolves.toBeDefined();
  });

  it("hears why the runtime refuses", async () => {
    await serve({ limits: { batchRows: 1, queueRows: 3 } });
    const client = await connected();
    await expect(client.predict(new Float32Array(8), 4)).rejects.toMatchObject({ reason: "overloaded" });
    await expect(client.predict(Float32Array.of(1, 2, 3), 1)).rejects.toMatchObject({ reason: "invalid" });
  });

  it("hears that a computation broke", async () => {
    await serve({ compute: () => Promise.reject(new Error("out of memory")) });
    const client = await connected();
    await expect(client.predict(Float32Array.of(1, 2), 1)).rejects.toMatchObject({
      reason: "failed",
      message: "out of memory",
    });
  });

  it("does not take another program for a runtime", async () => {
    const other = createServer((peer) => peer.end("HTTP/1.1 400 Bad Request\r\n\r\n")).listen(socket);
    closing.push(() => other.close());
    const client = new RuntimeClient({ socket, deadlineMs: 100, inFlightRows: 1 });
    closing.push(() => client.close());
    await sleep(100);
    expect(client.hello).toBeUndefined();
  });
});

describe("a runtime that is asked to stop", () => {
  it("answers what it has taken first", async () => {
    const server = await serve({
      compute: async (values, rows) => {
        await sleep(100);
        return sum(values, rows);
      },
    });
    const client = await connected();
    const answer = client.predict(Float32Array.of(1, 2), 1);
    await sleep(50);
    closing.splice(closing.indexOf(server.close), 1);
    await server.close();
    expect([...(await answer).outputs]).toEqual([3]);
  });

  it("leaves a socket that the next one replaces", async () => {
    await (await serve()).close();
    closing.pop();
    await serve();
    await expect(connected()).resolves.toBeDefined();
  });
});
