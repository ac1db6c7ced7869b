import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import fc from "fast-check";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { storeOf } from "../../../src/serving/access/store.ts";
import { newToken } from "../../../src/serving/access/tokens.ts";
import type { FrontendContext } from "../../../src/serving/frontend/context.ts";
import { meterModels } from "../../../src/serving/frontend/models/model-figures.ts";
import { localHub } from "../../../src/serving/frontend/processes/hub.ts";
import type { Fields, Message, Values } from "../../../src/serving/grpc/codec.ts";
import { contentsOf } from "../../../src/serving/grpc/contents.ts";
import * as messages from "../../../src/serving/grpc/messages.ts";
import { type GrpcServer, serveGrpc } from "../../../src/serving/grpc/server.ts";
import { Meter } from "../../../src/serving/metrics/meter.ts";
import { RuntimeError } from "../../../src/serving/routing/question.ts";
import { tensorFromJson } from "../../../src/serving/tensors/json.ts";
import { addModel, fixtureModel, type InProcess, inProcess } from "../inference/in-process.ts";

let host: InProcess;
const opened: (() => Promise<void> | void)[] = [];

beforeAll(async () => {
  host = await inProcess(async (modelsDir) => {
    await addModel(modelsDir, "product", "1", await fixtureModel("product"));
    await addModel(modelsDir, "affine", "1", await fixtureModel("affine"), "known");
  });
});
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});
afterAll(() => host.close());

interface Options {
  router?: Partial<FrontendContext["router"]>;
  tokens?: ReturnType<typeof storeOf>;
  frontend?: object;
  maxStreams?: number;
}

async function serve({ router = {}, tokens, frontend = {}, maxStreams = 100 }: Options = {}) {
  const meter = new Meter();
  const hub = localHub(meter);
  const config = { ...host.context.config, frontend: { ...host.context.config.frontend, ...frontend } };
  const context = meterModels({ ...host.context, config, router: { ...host.context.router, ...router } }, meter);
  const log = pino({ enabled: false });
  const server: GrpcServer = await serveGrpc(
    { context, hub, access: { tokens }, log },
    { host: "127.0.0.1", port: 0, maxStreams },
  );
  const client = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure());
  opened.push(server.close, () => client.close());
  return { server, client };
}

const same = (bytes: Buffer) => bytes;
const path = (method: string) => `/${method.includes("/") ? method : `inference.GRPCInferenceService/${method}`}`;

/** Calls a method with a message's bytes. Rejects with the client's ServiceError. */
function callRaw(
  client: Client,
  method: string,
  bytes: Buffer,
  { token, deadline }: { token?: string; deadline?: Date } = {},
) {
  const metadata = new Metadata();
  if (token !== undefined) metadata.set("authorization", `Bearer ${token}`);
  return new Promise<Buffer>((resolve, reject) => {
    client.makeUnaryRequest(path(method), same, same, bytes, metadata, deadline ? { deadline } : {}, (error, answer) =>
      error ? reject(error) : resolve(answer as Buffer),
    );
  });
}

async function call<Q extends Fields, A extends Fields>(
  client: Client,
  method: string,
  question: Message<Q>,
  values: Partial<Values<Q>>,
  answer: Message<A>,
  options: { token?: string; deadline?: Date } = {},
): Promise<Values<A>> {
  return answer.decode(new Uint8Array(await callRaw(client, method, question.encode(values), options)));
}

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => status.OK,
    (error: ServiceError) => error.code,
  );

const a = tensorFromJson("FP32", [1, 2], [3, 4]);
const b = tensorFromJson("FP32", [2, 1], [10, 100]);
const named = {
  inputs: [
    { name: "a", datatype: "FP32", shape: [1, 2] },
    { name: "b", datatype: "FP32", shape: [2, 1] },
  ],
};
const raw = { modelName: "product", id: "7", ...named, rawInputContents: [a.bytes, b.bytes] };
const typed = {
  modelName: "product",
  inputs: [
    { ...named.inputs[0], contents: contentsOf(a) },
    { ...named.inputs[1], contents: contentsOf(b) },
  ],
};
const infer = (client: Client, question: object, options = {}) =>
  call(client, "ModelInfer", messages.inferQuestion, question, messages.inferAnswer, options);
const floats = (bytes: Uint8Array | undefined) => [...new Float32Array((bytes ?? new Uint8Array()).slice().buffer)];

describe("the gRPC service", () => {
  it("describes the server and its models", async () => {
    const { client } = await serve();
    expect((await call(client, "ServerLive", messages.empty, {}, messages.liveAnswer)).live).toBe(true);
    expect((await call(client, "ServerReady", messages.empty, {}, messages.readyAnswer)).ready).toBe(true);
    const server = await call(client, "ServerMetadata", messages.empty, {}, messages.serverMetadata);
    expect(server).toMatchObject({ name: "slipway", extensions: expect.arrayContaining(["binary_tensor_data"]) });
    const ready = (name: string) => call(client, "ModelReady", messages.modelQuestion, { name }, messages.readyAnswer);
    expect((await ready("product")).ready).toBe(true);
    expect((await ready("affine")).ready).toBe(false);
    expect(await codeOf(ready("none"))).toBe(status.NOT_FOUND);
    const metadata = await call(
      client,
      "ModelMetadata",
      messages.modelQuestion,
      { name: "product" },
      messages.modelMetadata,
    );
    expect(metadata).toMatchObject({ versions: ["1"], inputs: [{ name: "a", shape: [-1, -1] }, {}] });
    const { config } = await call(
      client,
      "ModelConfig",
      messages.modelQuestion,
      { name: "product" },
      messages.configAnswer,
    );
    expect(config).toMatchObject({ name: "product", maxBatchSize: 0, input: [{ dataType: 11, dims: [-1, -1] }, {}] });
  });

  it("answers as bytes what came as bytes, and as contents what came as contents", async () => {
    const { client } = await serve();
    const bytes = await infer(client, raw);
    expect(bytes).toMatchObject({ modelName: "product", modelVersion: "1", id: "7" });
    expect(bytes.outputs.map(({ name, shape }) => [name, shape])).toEqual([
      ["c", [1, 1]],
      ["total", []],
    ]);
    expect(bytes.rawOutputContents.map(floats)).toEqual([[430], [430]]);
    const contents = await infer(client, { ...typed, outputs: [{ name: "total" }] });
    expect(contents.rawOutputContents).toEqual([]);
    expect(contents.outputs.map((one) => floats(one.contents?.fp32?.bytes))).toEqual([[430]]);
    const stats = await call(
      client,
      "ModelStatistics",
      messages.modelQuestion,
      { name: "product" },
      messages.statisticsAnswer,
    );
    expect(stats.modelStats).toMatchObject([
      { name: "product", inferenceCount: 2, executionCount: 2, inferenceStats: { success: { count: 2 } } },
    ]);
  });

  it("answers a stream in its order, and goes on after an error", async () => {
    const { client } = await serve();
    const stream = client.makeBidiStreamRequest(path("ModelStreamInfer"), same, same);
    const answers: Values<typeof messages.streamAnswer.fields>[] = [];
    stream.on("data", (bytes: Buffer) => answers.push(messages.streamAnswer.decode(new Uint8Array(bytes))));
    const ended = new Promise((resolve, reject) => stream.on("end", () => resolve(undefined)).on("error", reject));
    for (let one = 0; one < 200; one++) {
      const question = one === 50 ? { ...raw, modelName: "none", id: "50" } : { ...raw, id: String(one) };
      stream.write(one === 51 ? Buffer.from("noise") : messages.inferQuestion.encode(question));
    }
    stream.end();
    await ended;
    expect(answers).toHaveLength(200);
    expect(answers[50]).toMatchObject({ errorMessage: expect.stringContaining("none"), inferResponse: { id: "50" } });
    expect(answers[51]?.errorMessage).toMatch(/cannot be read/);
    for (const [at, { inferResponse }] of answers.entries()) {
      if (at === 50 || at === 51) continue;
      expect(inferResponse).toMatchObject({ id: String(at) });
      expect(inferResponse?.rawOutputContents?.map(floats)).toEqual([[430], [430]]);
    }
  });

  it("speaks gRPC's health protocol", async () => {
    let there = true;
    const find: FrontendContext["router"]["findConnected"] = (...name) =>
      there ? host.context.router.findConnected(...name) : undefined;
    const { client } = await serve({ router: { findConnected: find } });
    const check = (service: string) =>
      call(client, "grpc.health.v1.Health/Check", messages.healthQuestion, { service }, messages.healthAnswer);
    expect((await check("")).status).toBe(messages.HealthStatus.serving);
    expect(await codeOf(check("none"))).toBe(status.NOT_FOUND);
    const watch = client.makeServerStreamRequest(
      path("grpc.health.v1.Health/Watch"),
      same,
      same,
      messages.healthQuestion.encode({}),
    );
    watch.on("error", () => undefined);
    const next = () =>
      new Promise<number>((resolve) =>
        watch.once("data", (bytes: Buffer) => resolve(messages.healthAnswer.decode(new Uint8Array(bytes)).status)),
      );
    expect(await next()).toBe(messages.HealthStatus.serving);
    there = false;
    expect(await next()).toBe(messages.HealthStatus.notServing);
    expect((await check("inference.GRPCInferenceService")).status).toBe(messages.HealthStatus.notServing);
  });
});

describe("a call's status", () => {
  it.each([
    ["unavailable", status.UNAVAILABLE],
    ["overloaded", status.RESOURCE_EXHAUSTED],
    ["changed", status.UNAVAILABLE],
    ["invalid", status.INVALID_ARGUMENT],
    ["rejected", status.INVALID_ARGUMENT],
    ["deadline", status.DEADLINE_EXCEEDED],
    ["failed", status.INTERNAL],
  ] as const)("says when the runtime's answer is: %s", async (reason, code) => {
    const { client } = await serve({ router: { predict: () => Promise.reject(new RuntimeError(reason, "as it is")) } });
    const error = await infer(client, raw).catch((one: ServiceError) => one);
    expect(error).toMatchObject({ code, details: "as it is" });
  });

  it("keeps what went wrong inside to itself", async () => {
    const { client } = await serve({ router: { predict: () => Promise.reject(new Error("/root/secret")) } });
    const error = await infer(client, raw).catch((one: ServiceError) => one);
    expect(error).toMatchObject({ code: status.INTERNAL, details: "internal error" });
  });

  it.each<[string, object, status, RegExp]>([
    ["another model", { ...raw, modelName: "none" }, status.NOT_FOUND, /none/],
    ["another version", { ...raw, modelVersion: "9" }, status.NOT_FOUND, /9/],
    ["fewer bytes than inputs", { ...raw, rawInputContents: [a.bytes] }, status.INVALID_ARGUMENT, /2 inputs and 1 raw/],
    [
      "fewer bytes than its shape",
      { ...raw, rawInputContents: [a.bytes.subarray(1), b.bytes] },
      status.INVALID_ARGUMENT,
      /"a": .*not 7/,
    ],
    [
      "bytes and contents",
      { ...typed, rawInputContents: [a.bytes, b.bytes] },
      status.INVALID_ARGUMENT,
      /"a" has contents and raw/,
    ],
    [
      "a negative dimension",
      { ...raw, inputs: [{ ...named.inputs[0], shape: [-1, 2] }, named.inputs[1]] },
      status.INVALID_ARGUMENT,
      /"a": the shape/,
    ],
    [
      "shared memory",
      {
        ...raw,
        inputs: [
          { ...named.inputs[0], parameters: new Map([["shared_memory_region", { string: "r" }]]) },
          named.inputs[1],
        ],
      },
      status.INVALID_ARGUMENT,
      /shared_memory_region/,
    ],
    ["an output that there is not", { ...raw, outputs: [{ name: "d" }] }, status.INVALID_ARGUMENT, /no output "d"/],
  ])("%s", async (_what, question, code, details) => {
    const { client } = await serve();
    const error = await infer(client, question).catch((one: ServiceError) => one);
    expect(error).toMatchObject({ code, details: expect.stringMatching(details) });
  });

  it("is the caller's mistake for whatever bytes, and the server answers on", async () => {
    const { client } = await serve();
    const mistakes: number[] = [status.INVALID_ARGUMENT, status.NOT_FOUND, status.OK];
    const valid = messages.inferQuestion.encode(raw);
    const flipped = fc.tuple(fc.nat(valid.length - 1), fc.nat(255)).map(([at, value]) => {
      const bytes = Buffer.from(valid);
      bytes[at] = value;
      return bytes;
    });
    const noise = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("ModelInfer", "ModelReady", "RepositoryIndex"),
        fc.oneof(flipped, noise),
        async (method, bytes) => {
          expect(mistakes).toContain(await codeOf(callRaw(client, method, bytes)));
        },
      ),
      { numRuns: 300 },
    );
    expect((await infer(client, raw)).rawOutputContents.map(floats)).toEqual([[430], [430]]);
  });

  it("honours the caller's deadline, and tells the runtime of it", async () => {
    const within: (number | undefined)[] = [];
    const predict: FrontendContext["router"]["predict"] = (_served, _inputs, terms) => {
      within.push(terms?.withinMs);
      return new Promise(() => undefined);
    };
    const { client } = await serve({ router: { predict }, frontend: { drainMs: 600 } });
    const start = performance.now();
    expect(await codeOf(infer(client, raw, { deadline: new Date(Date.now() + 150) }))).toBe(status.DEADLINE_EXCEEDED);
    expect(performance.now() - start).toBeLessThan(2000);
    expect(within[0]).toBeLessThanOrEqual(150);
    const parameters = new Map([["timeout", { int64: 50_000 }]]);
    await codeOf(infer(client, { ...raw, parameters }, { deadline: new Date(Date.now() + 5000 - 4800) }));
    expect(within[1]).toBeLessThanOrEqual(50);
  });

  it("is a refusal by token and role", async () => {
    const [reader, predictor, deployer] = [newToken("r", "read"), newToken("p", "predict"), newToken("d", "deploy")];
    const { client } = await serve({ tokens: storeOf([reader.entry, predictor.entry, deployer.entry]) });
    expect((await call(client, "ServerLive", messages.empty, {}, messages.liveAnswer)).live).toBe(true);
    expect(await codeOf(infer(client, raw))).toBe(status.UNAUTHENTICATED);
    expect(await codeOf(infer(client, raw, { token: "made-up" }))).toBe(status.UNAUTHENTICATED);
    expect(await codeOf(infer(client, raw, { token: reader.token }))).toBe(status.PERMISSION_DENIED);
    expect(await codeOf(infer(client, raw, { token: predictor.token }))).toBe(status.OK);
    const unload = (token: string) =>
      codeOf(
        call(client, "RepositoryModelUnload", messages.repositoryQuestion, { modelName: "none" }, messages.empty, {
          token,
        }),
      );
    expect(await unload(predictor.token)).toBe(status.PERMISSION_DENIED);
    expect(await unload(deployer.token)).toBe(status.NOT_FOUND);
    const stream = client.makeBidiStreamRequest(path("ModelStreamInfer"), same, same);
    stream.on("data", () => undefined).end();
    expect(await new Promise((resolve) => stream.on("error", ({ code }: ServiceError) => resolve(code)))).toBe(
      status.UNAUTHENTICATED,
    );
  });

  it("is a refusal of what is too much: bytes, calls at once, calls in a while", async () => {
    const gate = Promise.withResolvers<void>();
    const { predict: compute } = host.context.router;
    const predict: FrontendContext["router"]["predict"] = async (...question) => {
      await gate.promise;
      return compute(...question);
    };
    const { client } = await serve({ router: { predict }, frontend: { requestsInFlight: 2, inferBodyBytes: 1000 } });
    expect(await codeOf(callRaw(client, "ModelInfer", Buffer.alloc(1001)))).toBe(status.RESOURCE_EXHAUSTED);
    const waiting = [infer(client, raw), infer(client, raw)];
    expect(await codeOf(infer(client, raw))).toBe(status.RESOURCE_EXHAUSTED);
    gate.resolve();
    expect((await Promise.all(waiting)).map(({ id }) => id)).toEqual(["7", "7"]);
    const limited = await serve({ frontend: { rateLimit: { requests: 2, seconds: 60 } } });
    const codes = [];
    for (let one = 0; one < 3; one++) codes.push(await codeOf(infer(limited.client, raw)));
    expect(codes).toEqual([status.OK, status.OK, status.RESOURCE_EXHAUSTED]);
  });

  it("comes for everything that was taken when the server closes", async () => {
    const gate = Promise.withResolvers<void>();
    const { predict: compute } = host.context.router;
    const { server, client } = await serve({
      router: {
        predict: async (...question) => {
          await gate.promise;
          return compute(...question);
        },
      },
    });
    const waiting = infer(client, raw);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const closed = server.close();
    gate.resolve();
    expect((await waiting).id).toBe("7");
    await closed;
    expect(await codeOf(infer(client, raw, { deadline: new Date(Date.now() + 500) }))).not.toBe(status.OK);
  });
});
