import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { digestOf } from "../../../src/common/digest.ts";
import { SlipwayError } from "../../../src/common/errors.ts";
import { waitFor } from "../../../src/common/wait.ts";
import type { LoadedModel } from "../../../src/serving/models/onnx-model.ts";
import type { LoadedVersion } from "../../../src/serving/models/registry.ts";
import type { ServedModel } from "../../../src/serving/routing/question.ts";
import { Router, type RouterOptions } from "../../../src/serving/routing/router.ts";
import type { BatchLimits } from "../../../src/serving/runtime/batcher.ts";
import { encodeFrame, encodeTensors, FrameKind } from "../../../src/serving/runtime/frames.ts";
import type { Hello } from "../../../src/serving/runtime/hello.ts";
import { ModelSet } from "../../../src/serving/runtime/model-set.ts";
import { serveRuntime } from "../../../src/serving/runtime/server.ts";
import { floatRows, floatsIn } from "../../../src/serving/tensors/raw-tensor.ts";
import { binaryCard } from "../cards.ts";

const log = pino({ enabled: false });
const card = binaryCard(2);

/** Adds the two numbers of each row. */
const sum = (values: Float32Array) =>
  values.filter((_, at) => at % 2 === 0).map((value, row) => value + (values[2 * row + 1] as number));

type Compute = (values: Float32Array) => Float32Array | Promise<Float32Array>;

const version = (number: number): LoadedVersion => ({
  name: "sum",
  version: `${number}`,
  digest: digestOf(`sum ${number}`),
  live: true,
  default: true,
});

let folder: string;
let sockets: string[];
const closing: (() => unknown)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-router-"));
  sockets = [0, 1].map((replica) => join(folder, `default-${replica}.sock`));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await rm(folder, { recursive: true });
});

interface TestRuntime {
  close: () => Promise<void>;
  /** What the next `sync` finds. */
  wanted: LoadedVersion[];
}

/** A runtime in this process, on the first socket or another. */
async function serve(
  compute: Compute = sum,
  {
    replica = 0,
    limits = { batchRows: 100, queueRows: 1000 },
    wanted = [version(1)],
  }: { replica?: number; limits?: BatchLimits; wanted?: LoadedVersion[] } = {},
): Promise<TestRuntime> {
  const models = new ModelSet({
    load: async ({ version }) => {
      if (version === "broken") throw new SlipwayError("E_MODEL_INVALID", "it is torn");
      const { inputs, outputs } = card;
      const run: LoadedModel["run"] = async ([input]) => {
        const computed = await compute(floatsIn(input));
        return [floatRows(computed, computed.length)];
      };
      const close = async () => undefined;
      const wide = binaryCard(3);
      return {
        card: version === "wide" ? wide : card,
        inputs,
        outputs,
        run,
        close,
        provider: "cpu",
        runtimeVersion: "none",
      };
    },
    limits: () => limits,
    log,
  });
  const runtime = { wanted };
  await models.sync(runtime.wanted);
  const server = await serveRuntime({
    socket: sockets[replica] as string,
    hello: { id: `${replica}`, group: "default", onnxruntime: "none", provider: "cpu", batchRows: limits.batchRows },
    models,
    sync: () => models.sync(runtime.wanted),
    log,
  });
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= server.close();
    return closed;
  };
  closing.push(close);
  return Object.assign(runtime, { close });
}

function routerWith(changes: Partial<RouterOptions> = {}): Router {
  const router = new Router({ sockets, deadlineMs: 2000, inFlightRows: 500, ...changes });
  closing.push(() => router.close());
  return router;
}

const soon = { timeoutMs: 5000, intervalMs: 5 };

async function connected(
  changes: Partial<RouterOptions> = {},
  runtimes = 1,
): Promise<{ router: Router; model: ServedModel }> {
  const router = routerWith(changes);
  await waitFor("the runtimes", async () => (router.runtimes.length === runtimes ? true : undefined), soon);
  return { router, model: router.find() as ServedModel };
}

async function ask(router: Router, model: ServedModel, ...values: number[]): Promise<number[]> {
  const { outputs } = await router.predict(model, [floatRows(Float32Array.from(values), values.length / 2)]);
  return [...floatsIn(outputs[0])];
}

describe("a router", () => {
  it("gets the outputs of its rows and hears which model made them, and in what time", async () => {
    await serve();
    const { router, model } = await connected();
    const answer = await router.predict(model, [floatRows(Float32Array.of(1, 2, 30, 40), 2)]);
    expect([...floatsIn(answer.outputs[0])]).toEqual([3, 70]);
    expect(answer.served.model).toEqual({ name: "sum", version: "1", digest: digestOf("sum 1") });
    expect(answer.timing).toMatchObject({ batchRows: 2, computeMicros: expect.any(Number) });
  });

  it("sends what is asked for in one turn as one frame, and gives everyone his own", async () => {
    const batches: number[] = [];
    await serve((values) => {
      batches.push(values.length / 2);
      return sum(values);
    });
    const { router, model } = await connected();
    expect(await Promise.all([1, 2, 3].map((value) => ask(router, model, value, value)))).toEqual([[2], [4], [6]]);
    expect(batches).toEqual([3]);
  });

  it("fails at once while there never was a runtime, and finds one that comes", async () => {
    const router = routerWith();
    const model: ServedModel = { model: version(1), card, onnxruntime: "none" };
    expect(router.find()).toBeUndefined();
    await expect(ask(router, model, 1, 2)).rejects.toMatchObject({ reason: "unavailable" });
    await serve();
    await waitFor("the runtime", async () => router.findConnected(), soon);
    await expect(ask(router, model, 1, 2)).resolves.toEqual([3]);
  });

  it("asks another runtime what one did not answer before it was lost", async () => {
    const dying = createServer((peer) => {
      peer.write(encodeFrame(FrameKind.hello, 0, helloOf("dying")));
      peer.once("data", () => peer.destroy());
    }).listen(sockets[0]);
    closing.push(() => dying.close());
    await serve(sum, { replica: 1 });
    const { router, model } = await connected({}, 2);
    await expect(ask(router, model, 1, 2)).resolves.toEqual([3]);
  });

  it("risks no second runtime over a question that somebody else answers", async () => {
    const dying = createServer((peer) => {
      peer.write(encodeFrame(FrameKind.hello, 0, helloOf("dying")));
      peer.once("data", () => peer.destroy());
    }).listen(sockets[0]);
    closing.push(() => dying.close());
    let asked = 0;
    await serve(
      (values) => {
        asked++;
        return sum(values);
      },
      { replica: 1 },
    );
    const { router, model } = await connected({}, 2);
    const question = router.predict(model, [floatRows(Float32Array.of(1, 2), 1)], { standIn: true });
    await expect(question).rejects.toMatchObject({ reason: "unavailable" });
    expect(asked).toBe(0);
  });

  it("knows what is on trial beside a live version, and why it cannot be asked the same", async () => {
    const trial = { mode: "canary", percent: 10 } as const;
    const onTrial = (one: LoadedVersion) => ({ ...one, live: false, default: false, trial });
    const runtime = await serve(sum, { wanted: [version(1), onTrial(version(2))] });
    const { router, model } = await connected();
    const beside = () => router.trialBeside(router.find() as ServedModel);
    expect(beside()).toMatchObject({ served: { model: { version: "2" } }, traffic: trial, problem: undefined });
    expect(router.models.map((one) => one.trial)).toEqual([undefined, trial]);
    runtime.wanted = [version(1), onTrial({ ...version(3), version: "wide" })];
    await router.sync();
    await waitFor("the other one", async () => (beside()?.problem ? true : undefined), soon);
    expect(beside()?.problem).toContain("takes or answers something else");
    runtime.wanted = [version(1)];
    await router.sync();
    await waitFor("its end", async () => (beside() ? undefined : true), soon);
    expect(router.find()).toBe(model);
  });

  it("waits for a runtime that is being restarted, and then for no longer than its deadline", async () => {
    const first = await serve();
    const { router, model } = await connected({ deadlineMs: 1000 });
    await first.close();
    await waitFor("the loss", async () => (router.findConnected() ? undefined : true), soon);
    expect(router.find()).toBe(model);
    const answer = ask(router, model, 1, 2);
    await serve();
    await expect(answer).resolves.toEqual([3]);
    await closing.pop()?.();
    await waitFor("the loss", async () => (router.findConnected() ? undefined : true), soon);
    await expect(ask(router, model, 1, 2)).rejects.toMatchObject({ reason: "unavailable" });
  });

  it("gives a question up that takes every runtime down", async () => {
    let asked = 0;
    for (const socket of sockets) {
      const dying = createServer((peer) => {
        peer.write(encodeFrame(FrameKind.hello, 0, helloOf("dying")));
        peer.once("data", () => {
          asked++;
          peer.destroy();
        });
      }).listen(socket);
      closing.push(() => dying.close());
    }
    const { router, model } = await connected({ deadlineMs: 60_000 }, 2);
    await expect(ask(router, model, 1, 2)).rejects.toMatchObject({ reason: "unavailable" });
    expect(asked).toBe(3);
  });

  it.each([
    ["a failure that is no JSON", (id: number) => encodeFrame(FrameKind.failure, id)],
    [
      "rows that were not asked for",
      (id: number) => encodeTensors(FrameKind.predictions, id, 1, [floatRows(Float32Array.of(1, 2), 2)]),
    ],
    ["fewer tensors than the model answers", (id: number) => encodeTensors(FrameKind.predictions, id, 1, [])],
    ["a kind of frame that does not exist", (id: number) => encodeFrame(99, id)],
  ])("does not hang when a runtime answers with %s", async (_what, reply) => {
    const broken = createServer((peer) => {
      peer.write(encodeFrame(FrameKind.hello, 0, helloOf("broken")));
      peer.on("data", (sent) => peer.write(reply(sent.readUInt32LE(8))));
    }).listen(sockets[0]);
    closing.push(() => broken.close());
    const { router, model } = await connected({ deadlineMs: 60_000 });
    await expect(ask(router, model, 1, 2)).rejects.toMatchObject({ reason: "unavailable" });
  });

  it("gives up at its deadline and is not confused by the late answer", async () => {
    let delayMs = 400;
    await serve(async (values) => {
      await sleep(delayMs);
      return sum(values);
    });
    const { router, model } = await connected({ deadlineMs: 200 });
    await expect(ask(router, model, 1, 2)).rejects.toMatchObject({ reason: "deadline" });
    delayMs = 0;
    await sleep(300);
    expect(await ask(router, model, 5, 6)).toEqual([11]);
  });

  it("asks another runtime when one does not answer in half of the time", async () => {
    await serve(() => new Promise(() => undefined));
    await serve(sum, { replica: 1 });
    const { router, model } = await connected({ deadlineMs: 1000 }, 2);
    await expect(ask(router, model, 1, 2)).resolves.toEqual([3]);
    closing.splice(0, 1); // it would wait for what it never answers
  });

  it("prefers the first runtime until that has a full batch before it", async () => {
    const asked: number[] = [];
    const held = Promise.withResolvers<void>();
    const slow =
      (replica: number): Compute =>
      async (values) => {
        asked.push(replica);
        await held.promise;
        return sum(values);
      };
    const limits = { batchRows: 2, queueRows: 1000 };
    await serve(slow(0), { limits });
    await serve(slow(1), { limits, replica: 1 });
    const { router, model } = await connected({}, 2);
    const first = ask(router, model, 1, 2);
    await vi.waitFor(() => expect(asked).toEqual([0]));
    const second = ask(router, model, 1, 2);
    await vi.waitFor(() => expect(router.runtimes[0]?.rows).toBe(2));
    const third = ask(router, model, 1, 2);
    await vi.waitFor(() => expect(asked).toEqual([0, 1]));
    held.resolve();
    await Promise.all([first, second, third]);
    expect(asked).toEqual([0, 1, 0]);
  });

  it("leaves nothing open that was under way, or is asked later, when it is closed", async () => {
    await serve(() => new Promise(() => {}));
    closing.splice(0, 1); // it would wait for what it never answers
    const { router, model } = await connected();
    const asked = ask(router, model, 1, 2);
    const rejected = expect(asked).rejects.toMatchObject({ reason: "unavailable" });
    await vi.waitFor(() => expect(router.runtimes[0]?.rows).toBe(1));
    router.close();
    await rejected;
    await expect(ask(router, model, 1, 2)).rejects.toMatchObject({ reason: "unavailable" });
  });

  it("refuses more rows than may be under way, and counts them back", async () => {
    await serve();
    const { router, model } = await connected({ inFlightRows: 2 });
    const first = ask(router, model, 1, 2, 3, 4);
    await expect(ask(router, model, 1, 2)).rejects.toMatchObject({ reason: "overloaded" });
    await first;
    await expect(ask(router, model, 1, 2)).resolves.toBeDefined();
  });

  it("hears why the runtime refuses", async () => {
    await serve(sum, { limits: { batchRows: 1, queueRows: 3 } });
    const { router, model } = await connected();
    await expect(ask(router, model, ...new Array<number>(8).fill(0))).rejects.toMatchObject({ reason: "overloaded" });
    const narrow = [floatRows(Float32Array.of(1, 2, 3), 1)];
    await expect(router.predict(model, narrow)).rejects.toMatchObject({ reason: "invalid" });
  });

  it("hears that a computation broke", async () => {
    await serve(() => Promise.reject(new Error("out of memory")));
    const { router, model } = await connected();
    await expect(ask(router, model, 1, 2)).rejects.toMatchObject({ reason: "failed", message: "out of memory" });
  });

  it("does not take another program for a runtime", async () => {
    const other = createServer((peer) => peer.end("HTTP/1.1 400 Bad Request\r\n\r\n")).listen(sockets[0]);
    closing.push(() => other.close());
    const router = routerWith();
    await sleep(100);
    expect(router.find()).toBeUndefined();
  });
});

describe("a version that is exchanged", () => {
  it("goes without a lost question, and every answer names the one that made it", async () => {
    const runtime = await serve();
    const { router, model } = await connected();
    runtime.wanted = [version(2)];
    const before = ask(router, model, 1, 2);
    expect(await router.sync()).toEqual({ failed: [] });
    expect(await before).toEqual([3]);
    expect(router.find()?.model.version).toBe("2");
    // who holds the old one still is answered: by what took its place
    const answer = await router.predict(model, [floatRows(Float32Array.of(1, 2), 1)]);
    expect(answer.served.model.version).toBe("2");
  });

  it("stays when the next one cannot be loaded, and says why that is so", async () => {
    const runtime = await serve();
    const { router } = await connected();
    runtime.wanted = [{ ...version(2), version: "broken" }];
    expect(await router.sync()).toEqual({
      failed: [{ name: "sum", version: "broken", message: "it is torn", code: "E_MODEL_INVALID" }],
    });
    const model = router.find() as ServedModel;
    expect(model.model.version).toBe("1");
    expect(await ask(router, model, 1, 2)).toEqual([3]);
  });

  it("fails questions to it when its successor takes something else", async () => {
    const runtime = await serve();
    const { router, model } = await connected();
    runtime.wanted = [{ ...version(2), version: "wide" }];
    await router.sync();
    await expect(ask(router, model, 1, 2)).rejects.toMatchObject({ reason: "changed" });
  });
});

describe("a model that is unloaded", () => {
  it("is not waited for as one is whose runtime restarts, and is there again when it is loaded", async () => {
    const runtime = await serve();
    const { router, model } = await connected();
    runtime.wanted = [];
    await router.sync();
    expect(router.find("sum")).toBeUndefined();
    const start = performance.now();
    await expect(ask(router, model, 1, 2)).rejects.toMatchObject({ reason: "unavailable" });
    expect(performance.now() - start).toBeLessThan(1000); // the deadline is 2000
    runtime.wanted = [version(1)];
    await router.sync();
    expect(await ask(router, router.find("sum") as ServedModel, 1, 2)).toEqual([3]);
  });

  it("is answered within what whoever asks has time for", async () => {
    await serve(async (values) => {
      await sleep(1500);
      return sum(values);
    });
    const { router, model } = await connected();
    const start = performance.now();
    const asked = router.predict(model, [floatRows(Float32Array.of(1, 2), 1)], { withinMs: 200 });
    await expect(asked).rejects.toMatchObject({ reason: "deadline" });
    expect(performance.now() - start).toBeLessThan(1200);
  });
});

describe("a runtime that is asked to stop", () => {
  it("answers what it has taken, and gets nothing more", async () => {
    const server = await serve(async (values) => {
      await sleep(100);
      return sum(values);
    });
    await serve(sum, { replica: 1 });
    const { router, model } = await connected({}, 2);
    const answer = ask(router, model, 1, 2);
    await sleep(50);
    const closed = server.close();
    await sleep(20);
    expect(router.runtimes.map(({ id }) => id)).toEqual(["1"]);
    expect(await ask(router, model, 2, 2)).toEqual([4]);
    await closed;
    expect(await answer).toEqual([3]);
  });

  it("leaves a socket that the next one replaces", async () => {
    await (await serve()).close();
    await serve();
    await expect(connected()).resolves.toBeDefined();
  });
});

function helloOf(id: string): Hello {
  const { live, default: standard, ...model } = version(1);
  return {
    id,
    protocol: 1,
    group: "default",
    onnxruntime: "none",
    provider: "cpu",
    batchRows: 100,
    models: [{ slot: 1, model, card, live, default: standard }],
  };
}
