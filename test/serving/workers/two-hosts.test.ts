import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { waitFor } from "../../../src/common/wait.ts";
import { newToken } from "../../../src/serving/access/tokens.ts";
import type { ServingConfigFile } from "../../../src/serving/config.ts";
import { importModel } from "../../../src/serving/models/import.ts";
import { makeCertificate, makeCertificates } from "../../support/certificates.ts";
import { type QueueServer, queueAbsent, startQueueServer } from "../../support/queue-server.ts";
import { freePort } from "../../support/tcp.ts";
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
} from "../support.ts";

type Tcp = NonNullable<NonNullable<ServingConfigFile["runtimes"]>[number]["tcp"]>;
type Identity = NonNullable<Tcp["tls"]>;

const model = await importModel(exampleModel("production"));
const { rows, outputs } = goldenRows(model);
const admin = newToken("ada", "admin");
const authorization = `Bearer ${admin.token}`;

describe.skipIf(queueAbsent)("a frontend and a runtime on two hosts", () => {
  let folder: string;
  let queue: QueueServer;
  const running: TestProcess[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "slipway-two-hosts-"));
    queue = await startQueueServer(folder);
    await writeFile(join(folder, "tokens.json"), JSON.stringify({ tokens: [admin.entry] }));
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((process) => process.end("SIGKILL")));
  });
  afterAll(async () => {
    await queue?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Paths of a certificate and its key, and of the authority that its holder knows. */
  const identity = (name: string, ca: string): Identity => ({
    cert: join(folder, `${name}.pem`),
    key: join(folder, `${name}.key`),
    ca: join(folder, `${ca}.pem`),
  });

  /** Hosts find each other by the registry that they have in common. */
  async function newHost(
    name: string,
    { tcp, runtimeTls, prefix = "plain" }: { tcp?: Tcp; runtimeTls?: Identity; prefix?: string },
  ): Promise<Host> {
    await mkdir(join(folder, name));
    const host = await prepareHost(join(folder, name), {
      host: name,
      frontend: { host: "127.0.0.1", port: await freePort(), tokensFile: join(folder, "tokens.json") },
      queue: { ...queue.queue, prefix },
      runtimes: [{ name: "default", replicas: 1, ...(tcp && { tcp }) }],
      workers: { ttlMs: 1500, heartbeatMs: 300, ...(runtimeTls && { runtimeTls }) },
      limits: { deadlineMs: 1000 },
    });
    await installModel(host.modelsDir, model);
    return host;
  }

  it("find each other by the runtime's heartbeat, and part when it stops", { timeout: 60_000 }, async () => {
    const near = await newHost("near", {});
    const far = await newHost("far", { tcp: { host: "127.0.0.1", port: await freePort() } });
    running.push(startServing("frontend", near));
    const runtime = startServing("runtime", far);
    running.push(runtime);
    await untilReady(near);
    const { status, body } = await ask(`${near.url}/v1/predict`, { rows }, { authorization });
    expect(status).toBe(200);
    expect(body).toMatchObject({ predictions: outputs.map((output) => ({ probability: expect.closeTo(output, 5) })) });

    expect(await runtime.end("SIGTERM")).toBe(0);
    const isReady = async () => (await fetch(`${near.url}/v2/health/ready`)).status === 200;
    await waitFor("the loss", async () => ((await isReady()) ? undefined : true), { timeoutMs: 10_000 });

    running.push(startServing("runtime", far));
    await untilReady(near);
    expect((await ask(`${near.url}/v1/predict`, { rows }, { authorization })).status).toBe(200);
  });

  it("speak mutual TLS with who is of their authority, and say why they do not with others", {
    timeout: 90_000,
  }, async (context) => {
    if (!makeCertificates(folder)) return context.skip("there is no openssl");
    makeCertificate(folder, "strangers");
    const certificates: [name: string, ip: string, issuer: string, ca: string][] = [
      ["friend", "127.0.0.2", "ca", "ca"],
      ["stranger", "127.0.0.3", "strangers", "ca"],
      ["aloof", "127.0.0.4", "ca", "strangers"],
      ["mistaken", "127.0.0.6", "ca", "ca"],
    ];
    const prefix = "tls";
    for (const [name, ip, issuer, ca] of certificates) {
      makeCertificate(folder, name, { issuer, san: `IP:${ip}` });
      const at = name === "mistaken" ? "127.0.0.5" : ip;
      const tcp = { host: at, port: await freePort(), tls: identity(name, ca) };
      running.push(startServing("runtime", await newHost(name, { tcp, prefix })));
    }
    const near = await newHost("trusted", { runtimeTls: identity("client", "ca"), prefix });
    const plain = await newHost("bare", { prefix });
    running.push(startServing("frontend", near), startServing("frontend", plain));
    const reasons = async (host: Host) => {
      const { body } = await ask(`${host.url}/admin/workers`, undefined, { authorization });
      const workers = body.workers as { id: string; origin: string; state: string; reason?: string; address: string }[];
      return Object.fromEntries(
        workers.flatMap(({ id, origin, state, reason }) => (origin === "itself" ? [[id, reason ?? state]] : [])),
      );
    };
    const settled = (host: Host, wanted: object) =>
      waitFor(
        "what is said of the runtimes",
        async () => {
          const found = await reasons(host).catch(() => ({}));
          return isDeepStrictEqual(Object.keys(found).sort(), Object.keys(wanted).sort()) &&
            Object.values(found).every((reason) => reason !== "it is not connected")
            ? found
            : undefined;
        },
        { timeoutMs: 40_000 },
      );
    const wanted = {
      "friend-default-0": "passing",
      "stranger-default-0": expect.stringMatching(
        /^it is not connected: (unable to verify the first|self.signed) certificate[a-z ]*$/,
      ),
      "aloof-default-0": expect.stringMatching(/^it is not connected: it hung up, as on those whose certificate/),
      "mistaken-default-0": expect.stringMatching(/^it is not connected: .*127\.0\.0\.5 is not in the cert's list/),
    };
    expect(await settled(near, wanted)).toEqual(wanted);
    const { body } = await ask(`${near.url}/v1/predict`, { rows }, { authorization });
    expect(body).toMatchObject({ predictions: outputs.map((output) => ({ probability: expect.closeTo(output, 5) })) });
    expect(await settled(plain, wanted)).toEqual(
      Object.fromEntries(
        Object.keys(wanted).map((id) => [id, "it speaks TLS, and this frontend has no workers.runtimeTls"]),
      ),
    );
    expect((await ask(`${plain.url}/v1/predict`, { rows }, { authorization })).status).toBe(503);
  });
});
