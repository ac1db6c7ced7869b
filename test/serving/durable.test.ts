import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { waitFor } from "../../src/common/wait.ts";
import type { ServingConfigFile } from "../../src/serving/config.ts";
import { runtimeSockets, servingConfig } from "../../src/serving/config.ts";
import { durably } from "../../src/serving/durable/connect.ts";
import { contentsOf, tensorFromContents } from "../../src/serving/grpc/contents.ts";
import * as messages from "../../src/serving/grpc/messages.ts";
import { connectQueue } from "../../src/serving/jobs/connection.ts";
import { importAnyModel } from "../../src/serving/models/import-any.ts";
import { Router } from "../../src/serving/routing/router.ts";
import { jsonElements } from "../../src/serving/tensors/json.ts";
import { textTensor } from "../../src/serving/tensors/raw-tensor.ts";
import { type QueueServer, queueAbsent, startQueueServer } from "../support/queue-server.ts";
import { freePort } from "../support/tcp.ts";
import {
  ask,
  exampleModel,
  goldenRows,
  type Host,
  installModel,
  prepareHost,
  startServing,
  type TestProcess,
  untilReady,
} from "./support.ts";

const production = await importAnyModel(exampleModel("production"));
const { rows, outputs } = goldenRows(production);
const log = pino({ enabled: false });
let folder: string;
/** Ends what a test started. */
const ends: (() => unknown)[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-durable-"));
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
afterAll(() => rm(folder, { recursive: true }));

interface Durable {
  host: Host;
  server: QueueServer;
  start: (entry: "frontend" | "runtime", replica?: number) => TestProcess;
}

/** Writes a line for each call into a file, and takes its time. */
const counting = (pure: boolean) => `
  import { appendFile } from "node:fs/promises";
  import { setTimeout as sleep } from "node:timers/promises";
  export const pure = ${pure};
  export const concurrency = 16;
  export async function predict({ file, ms, n }) {
    await appendFile(file, n + "\\n");
    await sleep(ms);
    return n * 2;
  }`;
const callsIn = async (file: string) => (await readFile(file, "utf8").catch(() => "")).split("\n").filter(Boolean);

/** A host whose models are durable: the network, and a function where one is given. */
async function durable(name: string, changes: Partial<ServingConfigFile> = {}, source?: string): Promise<Durable> {
  const root = join(folder, name);
  await mkdir(join(root, "model"), { recursive: true });
  const server = await startQueueServer(root, { persistent: "always" });
  ends.push(() => server.stop());
  const host = await prepareHost(root, {
    queue: { ...server.queue, prefix: "lab" },
    limits: { deadlineMs: 9000 },
    models: { diabetes: { durable: true }, function: { durable: true } },
    ...changes,
  });
  await installModel(host.modelsDir, production);
  if (source !== undefined) {
    await writeFile(join(root, "model", "model.mjs"), source);
    await installModel(host.modelsDir, await importAnyModel(join(root, "model")), "1", "function");
  }
  const start: Durable["start"] = (entry, replica) => {
    const process = startServing(entry, host, replica);
    ends.push(() => process.end("SIGKILL"));
    return process;
  };
  return { host, server, start };
}

/** Clients that ask for predictions, each answer compared with Keras', until they are stopped. */
function clientsOf(host: Host, count: number) {
  let answers = 0;
  let stopped = false;
  const clients = Array.from({ length: count }, async (_, client) => {
    for (let n = client; !stopped; n++) {
      const row = n % rows.length;
      const { status, body } = await ask(`${host.url}/v1/predict`, { rows: [rows[row]] });
      const expected = { predictions: [{ probability: expect.closeTo(outputs[row] as number, 5) }] };
      expect({ status, body }).toMatchObject({ status: 200, body: expected });
      answers++;
    }
  });
  const all = Promise.all(clients);
  all.catch(() => undefined);
  return {
    more: (wanted: number) => {
      const goal = answers + wanted;
      const more = waitFor("more answers", async () => (answers >= goal ? true : undefined), {
        timeoutMs: 25_000,
        intervalMs: 20,
      });
      return Promise.race([more, all]);
    },
    stop: () => {
      stopped = true;
      return all;
    },
  };
}

/** A frontend's router in this process. */
async function routerOf(host: Host) {
  const config = servingConfig.parse(JSON.parse(await readFile(host.env.SLIPWAY_SERVING_CONFIG as string, "utf8")));
  const plain = new Router({ sockets: runtimeSockets(config), deadlineMs: 9000, inFlightRows: 10_000 });
  const { router, close } = await durably(plain, config, log);
  const end = async () => {
    await close();
    plain.close();
  };
  ends.push(end);
  await waitFor("the function", async () => router.find("function"), { timeoutMs: 20_000 });
  const call = async (given: object, key?: string) => {
    const served = router.find("function");
    if (!served) throw new Error("the function does not serve");
    const answer = await router.predict(served, [textTensor([JSON.stringify(given)])], { key });
    return JSON.parse(jsonElements(answer.outputs[0] as never)[0] as string);
  };
  return { call, end };
}

/** Entries of the installation's streams that are under way, by what their keys begin with. */
async function entriesIn(server: QueueServer, kind: "accepted" | "frames"): Promise<number> {
  const redis = await connectQueue(server.queue, { blocking: true });
  try {
    const lengths = (await redis.keys(`lab:durable:${kind}:*`)).map((stream) => redis.xlen(stream));
    return (await Promise.all(lengths)).reduce((sum, length) => sum + length, 0);
  } finally {
    redis.disconnect();
  }
}

const untilEntries = (server: QueueServer, kind: "accepted" | "frames", count: number) =>
  waitFor(`${count} entries in ${kind}`, async () => (await entriesIn(server, kind)) === count || undefined, {
    timeoutMs: 15_000,
    intervalMs: 30,
  });

const untilCalled = (file: string, times = 1) =>
  waitFor("the call", async () => ((await callsIn(file)).length >= times ? true : undefined), {
    timeoutMs: 10_000,
    intervalMs: 10,
  });

const suite = describe.skipIf(queueAbsent);
suite(`durable models${queueAbsent ? ` (${queueAbsent})` : ""}`, { timeout: 60_000 }, () => {
  it("answer every request well while a runtime, and then the queue's server, is killed under load", async () => {
    const { host, server, start } = await durable("killed", { durable: { claimMs: 100 } });
    start("frontend");
    const [first] = [start("runtime", 0), start("runtime", 1)];
    await untilReady(host);
    const clients = clientsOf(host, 6);
    await clients.more(50);
    await first?.end("SIGKILL");
    await clients.more(50);
    start("runtime", 0);
    await server.stop("SIGKILL");
    await server.restart();
    await clients.more(50);
    await clients.stop();
    // what the killed ones left is answered, and nothing is kept
    await untilEntries(server, "accepted", 0);
    await untilEntries(server, "frames", 0);
  });

  it("give no answer before the question is on disk", async () => {
    const { host, server, start } = await durable("disk", {}, counting(true));
    start("runtime", 0);
    const { call } = await routerOf(host);
    const file = join(folder, "disk-calls");
    expect(await call({ file, ms: 0, n: 1 })).toBe(2);
    process.kill(server.pid(), "SIGSTOP");
    const answer = call({ file, ms: 0, n: 1234 });
    let answered = false;
    answer.finally(() => (answered = true)).catch(() => undefined);
    await untilCalled(file, 2);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(answered).toBe(false);
    process.kill(server.pid(), "SIGCONT");
    expect(await answer).toBe(2468);
    const logs = join(folder, "disk", "appendonlydir");
    const written = await Promise.all((await readdir(logs)).map((name) => readFile(join(logs, name), "latin1")));
    expect(written.join("")).toContain('"n":1234');
  });

  it("compute what is on disk although whoever asked, and the runtime that was asked, are killed", async () => {
    const { host, server, start } = await durable("left", { durable: { claimMs: 100 } }, counting(true));
    const first = start("runtime", 0);
    const { call, end } = await routerOf(host);
    const file = join(folder, "left-calls");
    const lost = call({ file, ms: 3000, n: 5 });
    lost.catch(() => undefined);
    await Promise.all([untilCalled(file), untilEntries(server, "accepted", 1)]);
    await Promise.all([first.end("SIGKILL"), end()]);
    start("runtime", 1);
    await untilCalled(file, 2);
    await untilEntries(server, "accepted", 0);
    await untilEntries(server, "frames", 0);
    expect(await callsIn(file)).toEqual(["5", "5"]);
  });

  it("answer who asks again with his key after the frontend was killed, without taking the question twice", async () => {
    const { host, server, start } = await durable("front");
    const frontend = start("frontend");
    const runtime = start("runtime", 0);
    await untilReady(host);
    const predict = () => ask(`${host.url}/v1/predict`, { rows }, { "idempotency-key": "mine" });
    process.kill(runtime.pid, "SIGSTOP");
    const lost = predict();
    lost.catch(() => undefined);
    await untilEntries(server, "accepted", 1);
    await frontend.end("SIGKILL");
    await expect(lost).rejects.toThrow();
    process.kill(runtime.pid, "SIGCONT");
    start("frontend");
    await untilReady(host);
    const { status, body } = await predict();
    expect(status).toBe(200);
    expect(body).toMatchObject({ predictions: outputs.map((one) => ({ probability: expect.closeTo(one, 5) })) });
    const redis = await connectQueue(server.queue, { blocking: true });
    ends.push(() => redis.disconnect());
    // the answer is of the first question, which was moved to where the runtime found it: no other was accepted
    const told = await redis.call("XINFO", "STREAM", "lab:durable:frames:diabetes");
    const list = Array.isArray(told) ? told : Object.entries(told as object).flat();
    expect(Number(list[list.indexOf("entries-added") + 1])).toBe(1);
    expect(await redis.keys("*durable:answer:*")).toHaveLength(1);
    expect((await redis.keys("*")).filter((key) => !key.startsWith("lab:"))).toEqual([]);
  });

  it("give the kept answer to who asks again after the frontend was killed, computed once", async () => {
    const { host, start } = await durable("frontend", {}, counting(false));
    start("runtime", 0);
    const file = join(folder, "frontend-calls");
    const { call, end } = await routerOf(host);
    const lost = call({ file, ms: 400, n: 21 }, "the key");
    lost.catch(() => undefined);
    await untilCalled(file);
    await end(); // as a killed frontend does, it hears nothing any more
    await expect(lost).rejects.toThrow();
    const again = await routerOf(host);
    const both = await Promise.all([call2(again), call2(again)]);
    expect(both).toEqual([42, 42]);
    expect(await again.call({ file, ms: 0, n: 1 }, "the key")).toBe(42);
    expect(await again.call({ file, ms: 0, n: 1 }, "another key")).toBe(2);
    expect(await callsIn(file)).toEqual(["21", "1"]);
    function call2({ call }: typeof again) {
      return call({ file, ms: 0, n: 21 }, "the key");
    }
  });

  it("keep the answer for a key by every way in, and say where a key could not hold", async () => {
    const port = await freePort();
    const changes = { grpc: { port }, models: { diabetes: { durable: true }, function: { durable: true } } };
    const { host, start } = await durable("ways", changes, counting(false));
    await installModel(host.modelsDir, await importAnyModel(join(folder, "ways", "model")), "1", "plain");
    start("frontend");
    start("runtime", 0);
    await untilReady(host);
    const file = join(folder, "ways-calls");
    const given = (n: number) => JSON.stringify({ file, ms: 0, n });
    const json = async (key: string, n: number, model = "function") => {
      const inputs = [{ name: "arguments", datatype: "BYTES", shape: [1], data: [given(n)] }];
      const { status, body } = await ask(
        `${host.url}/v2/models/${model}/infer`,
        { inputs },
        { "idempotency-key": key },
      );
      return status === 200 ? (body.outputs as { data: string[] }[])[0]?.data : [status, body.error];
    };
    const binary = async (key: string, n: number) => {
      const headers = { "idempotency-key": key, "inference-header-content-length": "0" };
      const answer = await fetch(`${host.url}/v2/models/function/infer`, { method: "POST", body: given(n), headers });
      return (await answer.text()).slice(-1);
    };
    expect([await json("json", 1), await json("json", 2)]).toEqual([["2"], ["2"]]);
    expect([await binary("bytes", 3), await binary("bytes", 4)]).toEqual(["6", "6"]);
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    ends.push(() => client.close());
    const same = (bytes: Buffer) => bytes;
    const question = (n: number) =>
      messages.inferQuestion.encode({
        modelName: "function",
        inputs: [{ name: "arguments", datatype: "BYTES", shape: [1], contents: contentsOf(textTensor([given(n)])) }],
      } as never);
    const metadata = (key: string) => {
      const told = new Metadata();
      told.set("idempotency-key", key);
      return told;
    };
    const service = "/inference.GRPCInferenceService";
    const grpc = (n: number, key: string) =>
      new Promise<string>((resolve, reject) => {
        const settle = (error: ServiceError | null, bytes?: Buffer) => {
          if (error) return reject(error);
          const { outputs } = messages.inferAnswer.decode(new Uint8Array(bytes as Buffer));
          const { datatype, shape, contents } = outputs[0] as (typeof outputs)[number];
          resolve(jsonElements(tensorFromContents(datatype as "BYTES", shape ?? [], contents ?? {}))[0] as string);
        };
        client.makeUnaryRequest(`${service}/ModelInfer`, same, same, question(n), metadata(key), settle);
      });
    expect([await grpc(1, "grpc"), await grpc(2, "grpc")]).toEqual(["2", "2"]);
    // the same key is the same question by whatever way it comes
    expect(await grpc(9, "json")).toBe("2");
    expect(await callsIn(file)).toEqual(["1", "3", "1"]);

    await expect(grpc(1, "x".repeat(201))).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    const stream = client.makeBidiStreamRequest(`${service}/ModelStreamInfer`, same, same, metadata("stream"));
    const told = once(stream, "data") as Promise<[Buffer]>;
    stream.end(question(5));
    const [bytes] = await told;
    expect(messages.streamAnswer.decode(new Uint8Array(bytes)).errorMessage).toContain("Idempotency-Key");
    expect(await json("x".repeat(201), 1)).toEqual([400, expect.stringContaining("200 characters")]);
    expect(await json("plain", 1, "plain")).toEqual([400, expect.stringContaining("not durable")]);
    const table = await ask(`${host.url}/v1/predict`, rows.map((row) => row.join()).join("\n"), {
      "content-type": "text/csv",
      "idempotency-key": "table",
    });
    expect(table).toMatchObject({ status: 400, body: { error: { code: "KEY_UNUSABLE" } } });
    expect(await callsIn(file)).toHaveLength(3);
  });

  it("that are pure are computed by another runtime when one is killed, and asked again by their key", async () => {
    const { host, start } = await durable("pure", {}, counting(true));
    const first = start("runtime", 0);
    const { call } = await routerOf(host);
    const file = join(folder, "pure-calls");
    const answers = [1, 2, 3].map((n) => call({ file, ms: 600, n }, `key ${n}`));
    await untilCalled(file, 3);
    await first.end("SIGKILL");
    start("runtime", 1);
    expect(await Promise.all(answers)).toEqual([2, 4, 6]);
    expect(await call({ file, ms: 0, n: 1 }, "key 1")).toBe(2);
    expect(await callsIn(file)).toHaveLength(6);
  });

  it("that are not pure are called once, whatever is killed, and the caller told that they may have run", async () => {
    const { host, start } = await durable("impure", { durable: { claimMs: 100 } }, counting(false));
    const first = start("runtime", 0);
    const { call } = await routerOf(host);
    const file = join(folder, "impure-calls");
    const answer = call({ file, ms: 2000, n: 1 }, "once");
    answer.catch(() => undefined);
    await untilCalled(file);
    await first.end("SIGKILL");
    start("runtime", 1);
    await expect(answer).rejects.toMatchObject({ reason: "unavailable", mayHaveRun: true });
    await expect(call({ file, ms: 0, n: 1 }, "once")).rejects.toMatchObject({ mayHaveRun: true });
    expect(await callsIn(file)).toEqual(["1"]);
  });

  it("keep what a runtime has computed while the queue's server is away", async () => {
    const { host, server, start } = await durable("server", { durable: { claimMs: 200 } }, counting(false));
    start("runtime", 0);
    start("runtime", 1);
    const { call } = await routerOf(host);
    const file = join(folder, "server-calls");
    const answers = Array.from({ length: 8 }, (_, n) => call({ file, ms: 500, n }, `server ${n}`));
    await untilCalled(file, 8);
    await server.stop("SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, 600)); // all are computed meanwhile
    await server.restart();
    expect(await Promise.all(answers)).toEqual([0, 2, 4, 6, 8, 10, 12, 14]);
    expect((await callsIn(file)).sort()).toEqual(["0", "1", "2", "3", "4", "5", "6", "7"]);
  });

  it("refuse more than may be under way, and say when their server is away", async () => {
    const { host, server, start } = await durable(
      "full",
      { durable: { streamFrames: 2 }, limits: { deadlineMs: 1500 } },
      counting(true),
    );
    const runtime = start("runtime", 0);
    const { call } = await routerOf(host);
    const file = join(folder, "full-calls");
    process.kill(runtime.pid, "SIGSTOP");
    const results = await Promise.allSettled([1, 2, 3, 4].map((n) => call({ file, ms: 0, n }, `full ${n}`)));
    const reasons = results.map((result) => (result.status === "rejected" ? result.reason.reason : "answered"));
    expect(reasons.sort()).toEqual(["deadline", "deadline", "overloaded", "overloaded"]);
    process.kill(runtime.pid, "SIGCONT");
    expect(await call({ file, ms: 0, n: 1 }, "full 1")).toBe(2);
    await server.stop("SIGKILL");
    await expect(call({ file, ms: 0, n: 5 })).rejects.toMatchObject({ reason: "unavailable" });
  });
});

describe("durable models without a queue", () => {
  it("keep a runtime from starting, with a reason", async () => {
    await mkdir(join(folder, "queueless"));
    const host = await prepareHost(join(folder, "queueless"), { models: { diabetes: { durable: true } } });
    await installModel(host.modelsDir, production);
    const runtime = startServing("runtime", host);
    expect(await runtime.ended).toBe(2);
    expect(runtime.output()).toContain("E_CONFIG_INVALID");
  });
});
