import { once } from "node:events";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { Agent, request as httpsRequest, type RequestOptions } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { Client, credentials } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { waitFor } from "../../../src/common/wait.ts";
import type { ServingConfigFile } from "../../../src/serving/config.ts";
import { importModel } from "../../../src/serving/models/import.ts";
import { type Certificate, makeCertificate } from "../../support/certificates.ts";
import { freePort } from "../../support/tcp.ts";
import { exampleModel, goldenRows, installModel, prepareHost, startServing, type TestProcess } from "../support.ts";

const model = await importModel(exampleModel("production"));
const { rows, outputs } = goldenRows(model);
const san = "IP:127.0.0.1";

interface Place {
  port: number;
  grpcPort: number;
  process: TestProcess;
}

describe("a frontend over TLS", () => {
  let folder: string;
  let ca: string;
  let ca2: string;
  let visitor: Certificate;
  let stranger: Certificate;
  /** One that all may ask, and one that asks for certificates, before the same runtime. */
  let open: Place;
  let closed: Place;
  const running: TestProcess[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "slipway-tls-"));
    ca = makeCertificate(folder, "ca").cert;
    ca2 = makeCertificate(folder, "strangers").cert;
    makeCertificate(folder, "server", { issuer: "ca", san, days: 1 });
    visitor = makeCertificate(folder, "visitor", { issuer: "ca" });
    stranger = makeCertificate(folder, "stranger", { issuer: "strangers" });
    const tls = { cert: join(folder, "server.pem"), key: join(folder, "server.key") };
    open = await start(tls);
    closed = await start({ ...tls, ca: join(folder, "ca.pem") });
    for (const { port } of [open, closed]) {
      const ready = () =>
        ask("/v2/health/ready", { port, ca, ...visitor }).then(({ status }) => status === 200 || undefined);
      await waitFor("the host to be ready", () => ready().catch(() => undefined), {
        timeoutMs: 20_000,
        maxIntervalMs: 200,
      });
    }
  }, 60_000);
  afterAll(async () => {
    await Promise.all(running.map((process) => process.end("SIGKILL")));
    await rm(folder, { recursive: true, force: true });
  });

  async function start(tls: NonNullable<ServingConfigFile["frontend"]["tls"]>): Promise<Place> {
    const root = await mkdtemp(join(folder, "host-"));
    const [port, grpcPort] = [await freePort(), await freePort()];
    const first = running.length === 0;
    const host = await prepareHost(root, {
      frontend: { host: "127.0.0.1", port, processes: 2, tls },
      grpc: { port: grpcPort },
      runtimeDir: folder,
      modelsDir: join(folder, "models"),
    });
    if (first) {
      await installModel(host.modelsDir, model);
      running.push(startServing("runtime", host));
    }
    const process = startServing("frontend", host);
    running.push(process);
    return { port, grpcPort, process };
  }

  /** The answer, the certificate that it came under, and whether its connection had been used before. Rejects with what the connection ends with. */
  async function ask(path: string, { body, ...options }: RequestOptions & { body?: unknown }) {
    const request = httpsRequest({
      ...{ host: "127.0.0.1", path, agent: false, method: body === undefined ? "GET" : "POST" },
      ...options,
      headers: { accept: "application/json", ...(body !== undefined && { "content-type": "application/json" }) },
    });
    request.end(body === undefined ? undefined : JSON.stringify(body));
    const [answer] = await once(request, "response");
    const socket = answer.socket as TLSSocket;
    const shown = socket.getPeerX509Certificate()?.serialNumber;
    const text = (await answer.setEncoding("utf8").toArray()).join("");
    return { status: answer.statusCode as number, body: JSON.parse(text), shown, again: request.reusedSocket };
  }

  /** Whether the server is live, as a gRPC client is told. Rejects with the client's ServiceError. */
  function isLive(client: Client): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const same = (bytes: Buffer) => bytes;
      client.makeUnaryRequest(
        "/inference.GRPCInferenceService/ServerLive",
        ...[same, same],
        Buffer.alloc(0),
        { deadline: Date.now() + 10_000 },
        // ServerLiveResponse{live: true}
        (error, answer) => (error ? reject(error) : resolve(answer?.equals(Buffer.from([8, 1])) ?? false)),
      );
    });
  }

  function grpcClient({ grpcPort }: Place, authority: string, own?: Certificate): Client {
    const [key, cert] = own ? [Buffer.from(own.key), Buffer.from(own.cert)] : [null, null];
    const secured = credentials.createSsl(Buffer.from(authority), key, cert);
    const client = new Client(`127.0.0.1:${grpcPort}`, secured);
    onTestFinished(() => client.close());
    return client;
  }

  it("answers as ever, health checks too, and nobody in the clear or in an old version", async () => {
    const { port } = open;
    const answer = await ask("/v1/predict", { port, ca, body: { rows } });
    expect(answer.body.predictions).toEqual(
      outputs.map((output) => expect.objectContaining({ probability: expect.closeTo(output, 5) })),
    );
    expect(await ask("/elb-healthcheck", { port, ca })).toMatchObject({ status: 200, body: { capacity: 50 } });
    expect(await isLive(grpcClient(open, ca))).toBe(true);

    await expect(fetch(`http://127.0.0.1:${port}/v2/health/live`)).rejects.toThrow();
    const bare = new Client(`127.0.0.1:${open.grpcPort}`, credentials.createInsecure());
    onTestFinished(() => bare.close());
    await expect(isLive(bare)).rejects.toMatchObject({ code: 14 });
    await expect(ask("/v2/health/live", { port })).rejects.toThrow(/unable to verify|self.signed/);
    const old = connect({
      host: "127.0.0.1",
      port,
      ca,
      maxVersion: "TLSv1.1",
      minVersion: "TLSv1",
      ciphers: "DEFAULT@SECLEVEL=0",
    });
    const [error] = await once(old, "error");
    expect(error.code).toBe("ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION");
    expect((await ask("/v2/health/live", { port, ca })).status).toBe(200);
  });

  it("lets in who has a certificate of the clients' authority, where there is one", async () => {
    const { port } = closed;
    expect((await ask("/elb-healthcheck", { port, ca, ...visitor })).status).toBe(200);
    expect(await isLive(grpcClient(closed, ca, visitor))).toBe(true);
    for (const own of [undefined, stranger]) {
      await expect(ask("/elb-healthcheck", { port, ca, ...own })).rejects.toThrow();
      await expect(isLive(grpcClient(closed, ca, own))).rejects.toMatchObject({ code: 14 });
    }
  });

  it("shows a new certificate to new connections, ends none of the old, and stays as it is when a file is broken", async () => {
    const { port, process } = open;
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const kept = () => ask("/v1/predict", { port, ca, agent, body: { rows } });
    const { shown: first } = await kept();
    const old = grpcClient(open, ca);
    expect(await isLive(old)).toBe(true);

    // of another authority, so that who knows the old one alone can tell
    makeCertificate(folder, "renewed", { issuer: "strangers", san, days: 1 });
    await rename(join(folder, "renewed.key"), join(folder, "server.key"));
    await rename(join(folder, "renewed.pem"), join(folder, "server.pem"));
    // all processes of the frontend, which take connections by turns
    const isNew = () => ask("/v2/health/live", { port, ca: ca2 });
    const allNew = () => Promise.all([isNew(), isNew(), isNew(), isNew()]);
    const found = await waitFor("the new certificate", () => allNew().catch(() => undefined), { timeoutMs: 15_000 });
    expect(new Set(found.map(({ shown }) => shown)).size).toBe(1);
    expect(found[0]?.shown).not.toBe(first);
    expect(await kept()).toMatchObject({ status: 200, again: true });
    expect(await isLive(old)).toBe(true);
    await waitFor("the new certificate over gRPC", () => isLive(grpcClient(open, ca2)).catch(() => undefined), {
      timeoutMs: 15_000,
    });
    await expect(isLive(grpcClient(open, ca))).rejects.toMatchObject({ code: 14 });

    await writeFile(join(folder, "server.pem"), "no certificate");
    const refused = () => (process.output().includes("the certificates stay as they were") ? true : undefined);
    await waitFor("the refusal", async () => refused(), { timeoutMs: 15_000 });
    expect((await isNew()).shown).toBe(found[0]?.shown);
    expect((await kept()).again).toBe(true);
  });
});
