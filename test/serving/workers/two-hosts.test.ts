import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { waitFor } from "../../../src/common/wait.ts";
import { importModel } from "../../../src/serving/models/import.ts";
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

const model = await importModel(exampleModel("production"));
const { rows, outputs } = goldenRows(model);

describe.skipIf(queueAbsent)("a frontend and a runtime on two hosts", () => {
  let folder: string;
  let queue: QueueServer;
  const running: TestProcess[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "slipway-two-hosts-"));
    queue = await startQueueServer(folder);
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((process) => process.end("SIGKILL")));
  });
  afterAll(async () => {
    await queue?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function newHost(name: string, tcpPort?: number): Promise<Host> {
    await mkdir(join(folder, name));
    const tcp = tcpPort === undefined ? {} : { tcp: { host: "127.0.0.1", port: tcpPort } };
    const host = await prepareHost(join(folder, name), {
      host: name,
      queue: queue.queue,
      runtimes: [{ name: "default", replicas: 1, ...tcp }],
      workers: { ttlMs: 1500, heartbeatMs: 300 },
      limits: { deadlineMs: 1000 },
    });
    await installModel(host.modelsDir, model);
    return host;
  }

  it("find each other by the runtime's heartbeat, and part when it stops", { timeout: 60_000 }, async () => {
    const near = await newHost("near");
    const far = await newHost("far", await freePort());
    running.push(startServing("frontend", near));
    const runtime = startServing("runtime", far);
    running.push(runtime);
    await untilReady(near);
    const { status, body } = await ask(`${near.url}/v1/predict`, { rows });
    expect(status).toBe(200);
    expect(body).toMatchObject({ predictions: outputs.map((output) => ({ probability: expect.closeTo(output, 5) })) });

    expect(await runtime.end("SIGTERM")).toBe(0);
    const isReady = async () => (await fetch(`${near.url}/v2/health/ready`)).status === 200;
    await waitFor("the loss", async () => ((await isReady()) ? undefined : true), { timeoutMs: 10_000 });

    running.push(startServing("runtime", far));
    await untilReady(near);
    expect((await ask(`${near.url}/v1/predict`, { rows })).status).toBe(200);
  });
});
