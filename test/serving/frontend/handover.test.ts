import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { waitFor } from "../../../src/common/wait.ts";
import * as messages from "../../../src/serving/grpc/messages.ts";
import { importModel } from "../../../src/serving/models/import.ts";
import { tensorFromJson } from "../../../src/serving/tensors/json.ts";
import { type Certificate, makeCertificate } from "../../support/certificates.ts";
import { askOnce, constantLoad } from "../../support/constant-load.ts";
import { engineClient } from "../aiengine/client.ts";
import {
  exampleModel,
  goldenRows,
  type Host,
  installModel,
  prepareHost,
  startFrontendOn,
  startServing,
  type TestProcess,
} from "../support.ts";

const model = await importModel(exampleModel("production"));
const rows = goldenRows(model).rows.slice(0, 2);
let folder: string;
let host: Host;
let runtime: TestProcess;
/** Of AIEngine's listener and its client. */
let ca: string;
let certificate: Certificate;

type Path = "/v1/predict" | "/version" | "/v2/health/ready";

async function ask(agent: Agent, path: Path, socketPath?: string) {
  const { status, text, closes } = await askOnce(agent, host.url + path, {
    ...(path === "/v1/predict" && { body: { rows } }),
    ...(socketPath && { socketPath }),
  });
  return {
    status,
    closes,
    payload: path === "/version" ? (JSON.parse(text) as { payload: string }).payload : undefined,
  };
}

const inferQuestion = messages.inferQuestion.encode({
  modelName: "diabetes",
  inputs: model.card.inputs.map(({ name, datatype }) => ({ name, datatype, shape: [rows.length, 8] })),
  rawInputContents: [tensorFromJson("FP32", [rows.length, 8], rows.flat()).bytes],
});

/** Resolves with the answer's outputs. */
function inferOverGrpc(client: Client): Promise<number> {
  const same = (bytes: Buffer) => bytes;
  const path = "/inference.GRPCInferenceService/ModelInfer";
  const deadline = new Date(Date.now() + 20_000);
  return new Promise((resolve, reject) => {
    const options = { deadline };
    client.makeUnaryRequest(path, same, same, inferQuestion, new Metadata(), options, (error, answer) =>
      error ? reject(error) : resolve(messages.inferAnswer.decode(new Uint8Array(answer as Buffer)).outputs.length),
    );
  });
}

/** Clients of one kind that ask without a pause until they are stopped: how often, and what went wrong. */
function asking(clients: { ask: () => Promise<unknown>; close: () => void }[]) {
  const found = { answers: 0, failures: [] as string[] };
  let stopped = false;
  const running = clients.map(async ({ ask, close }) => {
    while (!stopped) {
      await ask().then(
        () => found.answers++,
        (error: ServiceError) => found.failures.push(error.message),
      );
    }
    close();
  });
  const stop = async () => {
    stopped = true;
    await Promise.all(running);
    return found;
  };
  return { found, stop };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-handover-"));
  ca = makeCertificate(folder, "ca", { days: 400 }).cert;
  makeCertificate(folder, "server", { days: 300, san: "IP:127.0.0.1", issuer: "ca" });
  certificate = makeCertificate(folder, "database", { issuer: "ca" });
  host = await prepareHost(folder, {});
  await installModel(host.modelsDir, model);
  runtime = startServing("runtime", host);
});
afterAll(async () => {
  await runtime.end("SIGKILL");
  await rm(folder, { recursive: true });
});

describe.each([1, 3])("a frontend of %i processes whose socket is held for it", (processes) => {
  let frontends: TestProcess[] = [];
  let socket: Server;
  /** gRPC's and AIEngine's. */
  let others: Server[] = [];
  const portOf = (server: Server) => (server.address() as AddressInfo).port;
  const held = () => ({ SLIPWAY_HOLD: join(folder, "hold"), SLIPWAY_HELD_SOCKET: join(folder, "held.sock") });

  const start = async (payload: string, env: NodeJS.ProcessEnv) => {
    const { port } = host.config.frontend;
    const frontend = { host: "127.0.0.1", port, processes };
    const path = (name: string) => join(folder, name);
    const files = { cert: path("server.pem"), key: path("server.key"), ca: path("ca.pem"), dir: path("aiengine") };
    const [grpcAt, engineAt] = others.map(portOf);
    const more = { grpc: { port: grpcAt }, aiengine: { port: engineAt, ...files } };
    await writeFile(path("serving.json"), JSON.stringify({ ...host.config, payload, frontend, ...more }));
    const names = ["http", "grpc", "aiengine"];
    const sockets = [socket, ...others].map((server, at) => ({
      name: names[at] ?? "",
      fd: (server as unknown as { _handle: { fd: number } })._handle.fd,
    }));
    const started = startFrontendOn(sockets, host, env);
    frontends.push(started);
    return started;
  };
  const until = (what: string, holds: () => boolean | Promise<boolean>) =>
    waitFor(what, async () => (await holds()) || undefined, { timeoutMs: 30_000, intervalMs: 20, maxIntervalMs: 100 });
  const ready = (socketPath?: string) =>
    until("the frontend to be ready", () =>
      ask(new Agent(), "/v2/health/ready", socketPath).then(
        ({ status }) => status === 200,
        () => false,
      ),
    );

  beforeAll(async () => {
    socket = createServer();
    await new Promise<void>((resolve) => void socket.listen({ ...host.config.frontend, backlog: 511 }, resolve));
    others = [createServer(), createServer()];
    for (const other of others) {
      await new Promise<void>((resolve) => void other.listen({ host: "127.0.0.1", port: 0, backlog: 511 }, resolve));
    }
  });
  afterAll(async () => {
    await Promise.all(frontends.map((one) => one.end("SIGKILL")));
    frontends = [];
    for (const one of [socket, ...others]) one.close();
  });

  it("hands over to the next one beside it: no client is refused, cut off or told to come back", async () => {
    const { SLIPWAY_HOLD: hold, SLIPWAY_HELD_SOCKET: heldSocket } = held();
    await writeFile(hold, "");
    const next = await start("sha256:next", held());
    await ready(heldSocket);
    // each of its processes has read its configuration before there is another
    await until("all processes to be up", () => processes === 1 || next.output().includes('"msg":"started"'));
    const old = await start("sha256:old", {});
    const [grpcAt, engineAt] = others.map(portOf) as [number, number];
    for (const one of [socket, ...others]) one.close(); // ours, so that connections go to the frontends' copies of it
    // by turns: each of the processes finds the runtime by itself
    for (let process = 0; process < processes; process++) await ready();

    const load = constantLoad((agent, turn) => ask(agent, turn % 8 === 0 ? "/version" : "/v1/predict"), {
      keeping: 8,
      fresh: 4,
      idling: 8,
    });
    const { answers, failures } = load;
    // channels with connections of their own
    const channel = () =>
      new Client(`127.0.0.1:${grpcAt}`, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
    const calls = asking(
      Array.from({ length: 3 }, channel).map((client) => ({
        ask: () => inferOverGrpc(client),
        close: () => client.close(),
      })),
    );
    const databases = asking(
      [true, true, false].map((keepAlive) => {
        const { ask: post, close } = engineClient(engineAt, { ca, certificate, keepAlive });
        const options = { model_name: "m", labels: "R", max_epoch: 2, batch_size: 32, hidden_units: 4 };
        const ask = async () => {
          const { status, body } = await post("/configure", options);
          if (status !== 200 || body !== "0") throw new Error(`AIEngine answers ${status} ${body}`);
        };
        return { ask, close };
      }),
    );
    const payloads = () => new Set(answers.flatMap(({ payload }) => payload ?? []));
    const enough = () => answers.length > 500 && calls.found.answers > 50 && databases.found.answers > 20;
    await until("clients to be answered", () => enough() || failures.length > 0);
    expect((await ask(new Agent(), "/version", heldSocket)).payload).toBe("sha256:next");
    expect(payloads()).toEqual(new Set(["sha256:old"]));

    await rm(hold);
    await until("the next one to answer everybody", () => !existsSync(heldSocket));
    expect(await old.end("SIGTERM")).toBe(0);
    const before = answers.length;
    await until("clients to be answered", () => answers.length > before + 300 || failures.length > 0);
    const [called, asked] = await Promise.all([calls.stop(), databases.stop()]);
    await load.stop();
    expect(failures).toEqual([]);
    expect(called.failures).toEqual([]);
    expect(asked.failures).toEqual([]);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(answers.some(({ closes }) => closes)).toBe(true);
    expect(new Set(answers.slice(before + 100).flatMap(({ payload }) => payload ?? []))).toEqual(
      new Set(["sha256:next"]),
    );
    expect(await next.end("SIGTERM")).toBe(0);
  }, 60_000);
});
