import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { waitFor } from "../../../src/common/wait.ts";
import { type ServingConfigFile, servingConfig } from "../../../src/serving/config.ts";
import { importAnyModel } from "../../../src/serving/models/import-any.ts";
import { runtimeAddresses } from "../../../src/serving/routing/addresses.ts";
import { Router } from "../../../src/serving/routing/router.ts";
import { isLoopback } from "../../../src/serving/runtime/identity.ts";
import { floatRows, floatsIn } from "../../../src/serving/tensors/raw-tensor.ts";
import { type Certificates, makeCertificates } from "../../support/certificates.ts";
import { freePort } from "../../support/tcp.ts";
import {
  exampleModel,
  goldenRows,
  type Host,
  installModel,
  prepareHost,
  startServing,
  type TestProcess,
} from "../support.ts";

const model = await importAnyModel(exampleModel("production"));
const { rows, outputs } = goldenRows(model);
let folder: string;
let certificates: Certificates | undefined;
const ends: (() => unknown)[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-network-"));
  certificates = makeCertificates(folder);
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
afterAll(() => rm(folder, { recursive: true }));

const files = (name: string) => ({
  cert: join(folder, `${name}.pem`),
  key: join(folder, `${name}.key`),
  ca: join(folder, "ca.pem"),
});

/** A runtime on a port of loopback. */
async function listening(tls?: ReturnType<typeof files>): Promise<{ host: Host; port: number; runtime: TestProcess }> {
  const port = await freePort();
  const root = await mkdtemp(join(folder, "host-"));
  const tcp = { host: "127.0.0.1", port, ...(tls && { tls }) };
  const host = await prepareHost(root, { runtimes: [{ name: "default", device: "cpu", tcp }] });
  await installModel(host.modelsDir, model);
  const runtime = startServing("runtime", host);
  ends.push(() => runtime.end("SIGKILL"));
  await waitFor("the runtime", async () => (runtime.output().includes('"ready"') ? true : undefined), {
    timeoutMs: 20_000,
  });
  return { host, port, runtime };
}

/** A router of another host that knows the runtime by its port alone. */
async function routerTo(host: Host, remote: NonNullable<ServingConfigFile["remoteRuntimes"]>[number]): Promise<Router> {
  const config = servingConfig.parse({
    ...host.config,
    runtimeDir: join(folder, "elsewhere"),
    remoteRuntimes: [remote],
  });
  const router = new Router({ sockets: await runtimeAddresses(config), deadlineMs: 5000, inFlightRows: 1000 });
  ends.push(() => router.close());
  return router;
}

async function predicts(router: Router): Promise<number[]> {
  const served = await waitFor("the model", async () => router.find(), { timeoutMs: 8000, intervalMs: 20 });
  const answer = await router.predict(served, [floatRows(Float32Array.from(rows.flat()), rows.length)]);
  return [...floatsIn(answer.outputs[0])];
}

const golden = outputs.map((output) => expect.closeTo(output, 5));

describe("a runtime on a port", { timeout: 60_000 }, () => {
  it("answers as on its socket, whatever others send it", async () => {
    const { host, port } = await listening();
    const router = await routerTo(host, { host: "127.0.0.1", port });
    expect(await predicts(router)).toEqual(golden);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(63 * 1024 * 1024);
    for (const bytes of [
      Buffer.from("GET / HTTP/1.1\r\nhost: x\r\n\r\n"),
      Buffer.alloc(4096, 0xff),
      Buffer.alloc(64),
      Buffer.concat([length, Buffer.alloc(100, 2)]),
      Buffer.concat([Buffer.from([28, 0, 0, 0, 99, 0, 0, 0]), Buffer.alloc(24)]),
      Buffer.concat([Buffer.from([30, 0, 0, 0, 7, 0, 0, 0]), Buffer.alloc(24), Buffer.from("{]")]),
    ]) {
      const socket = connect(port, "127.0.0.1").on("error", () => undefined);
      socket.write(bytes);
      socket.end();
      await new Promise((resolve) => socket.once("close", resolve).resume());
    }
    expect(await predicts(router)).toEqual(golden);
  });

  it("speaks mutual TLS with those of its authority, and with nobody else", async (context) => {
    if (!certificates) return context.skip("there is no openssl");
    const stranger = await mkdtemp(join(folder, "stranger-"));
    makeCertificates(stranger);
    const { host, port } = await listening(files("server"));
    const at = { host: "127.0.0.1", port };
    expect(await predicts(await routerTo(host, { ...at, tls: files("client") }))).toEqual(golden);

    const foreign = { cert: join(stranger, "client.pem"), key: join(stranger, "client.key") };
    const refused = await Promise.all([
      routerTo(host, at), // in the clear
      routerTo(host, { ...at, tls: { ...files("client"), ...foreign } }), // another authority's certificate
      routerTo(host, { ...at, tls: { ...files("client"), ca: join(stranger, "ca.pem") } }), // does not trust the runtime's
      routerTo(host, { ...at, tls: { ...files("client"), serverName: "runtime.example" } }), // a name that it does not have
    ]);
    const anonymous = connectTls({ ...at, ca: certificates.ca, checkServerIdentity: () => undefined });
    anonymous.on("error", () => undefined);
    let heard = 0;
    anonymous.on("data", (chunk: Buffer) => {
      heard += chunk.length;
    });
    await new Promise((resolve) => anonymous.once("close", resolve));
    expect(heard).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(refused.map((router) => router.runtimes.length)).toEqual([0, 0, 0, 0]);
  });

  it("does not listen beyond loopback, or ask there, in the clear", async () => {
    const root = await mkdtemp(join(folder, "host-"));
    const tcp = { host: "0.0.0.0", port: await freePort() };
    const host = await prepareHost(root, { runtimes: [{ name: "default", device: "cpu", tcp }] });
    await installModel(host.modelsDir, model);
    const runtime = startServing("runtime", host);
    expect(await runtime.ended).toBe(2);
    expect(runtime.output()).toContain("E_CONFIG_INVALID");
    await expect(routerTo(host, { host: "10.0.0.9", port: 1 })).rejects.toMatchObject({ code: "E_CONFIG_INVALID" });
    await writeFile(join(root, "none"), "");
    const missing = { ...files("client"), key: join(root, "missing.key") };
    await expect(routerTo(host, { host: "10.0.0.9", port: 1, tls: missing })).rejects.toThrow("missing.key");
    expect(
      ["127.0.0.1", "127.8.0.1", "::1", "localhost", "0.0.0.0", "::", "127.example", "10.0.0.1"].map(isLoopback),
    ).toEqual([true, true, true, true, false, false, false, false]);
  });
});
