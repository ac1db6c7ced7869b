import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { waitFor } from "../../src/common/wait.ts";
import { appEntries } from "../../src/release/app-layer.ts";
import { connectQueue } from "../../src/serving/jobs/connection.ts";
import { importModel } from "../../src/serving/models/import.ts";
import { type QueueServer, queueAbsent, startQueueServer } from "../support/queue-server.ts";
import {
  ask,
  exampleModel,
  goldenRows,
  type Host,
  installModel,
  prepareHost,
  startProcess,
  startServing,
  type TestProcess,
  untilReady,
} from "./support.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const production = await importModel(exampleModel("production"));
const development = await importModel(exampleModel("development"));
const { rows, outputs } = goldenRows(production);
let folder: string;
const running: TestProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-serving-"));
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((process) => process.end("SIGKILL")));
});
afterAll(() => rm(folder, { recursive: true }));

function started(process: TestProcess): TestProcess {
  running.push(process);
  return process;
}

async function newHost(name: string, changes: Parameters<typeof prepareHost>[1] = {}): Promise<Host> {
  await mkdir(join(folder, name));
  const host = await prepareHost(join(folder, name), changes);
  await installModel(host.modelsDir, production);
  return host;
}

const predict = (host: Host) => ask(`${host.url}/v1/predict`, { rows });
const probabilities = (values: number[]) => values.map((output) => ({ probability: expect.closeTo(output, 5) }));

describe("a host's frontend and runtime", () => {
  it("predict what Keras does, stay up without a runtime, and drain when they are stopped", async () => {
    const host = await newHost("life", { limits: { deadlineMs: 1000 } });
    const frontend = started(startServing("frontend", host));
    const runtime = started(startServing("runtime", host));
    await untilReady(host);
    expect((await predict(host)).body).toMatchObject({ predictions: probabilities(outputs) });

    expect(await runtime.end("SIGTERM")).toBe(0);
    const refused = await waitFor("a refusal", async () => answerUnless(await predict(host), 200), { timeoutMs: 5000 });
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(refused.body).toMatchObject({ error: { code: "RUNTIME_UNAVAILABLE" } });

    started(startServing("runtime", host));
    await untilReady(host);
    expect((await predict(host)).status).toBe(200);
    expect(await frontend.end("SIGTERM")).toBe(0);
  });

  it("answer every request well while their runtimes are killed one after the other", async () => {
    const host = await newHost("killed");
    started(startServing("frontend", host));
    let runtimes = [0, 1].map((replica) => started(startServing("runtime", host, replica)));
    await untilReady(host);
    let answers = 0;
    let stop = false;
    const clients = Array.from({ length: 8 }, async () => {
      while (!stop) {
        const { status, body } = await predict(host);
        expect({ status, body }).toMatchObject({ status: 200, body: { predictions: probabilities(outputs) } });
        answers++;
      }
    });
    const more = (count: number) => {
      const goal = answers + count;
      return waitFor("more answers", async () => (answers >= goal ? true : undefined), { timeoutMs: 20_000 });
    };
    for (const victim of [0, 1, 0]) {
      await more(50);
      await runtimes[victim]?.end("SIGKILL");
      await more(50);
      const next = started(startServing("runtime", host, victim));
      runtimes = runtimes.map((runtime, replica) => (replica === victim ? next : runtime));
      await waitFor("the next runtime", async () => (next.output().includes("ready") ? true : undefined), {
        timeoutMs: 20_000,
      });
    }
    // and without any: what is asked waits for the next one
    await Promise.all(runtimes.map((runtime) => runtime.end("SIGKILL")));
    started(startServing("runtime", host));
    await more(50);
    stop = true;
    await Promise.all(clients);
  });

  it("serve another model when the runtime is started anew, and say which", async () => {
    const host = await newHost("exchange");
    started(startServing("frontend", host));
    const runtime = started(startServing("runtime", host));
    await untilReady(host);
    const next = await installModel(host.modelsDir, development, "2");
    const between = await fetch(`${host.url}/v2/health/ready`);
    expect(between.status).toBe(503);
    await runtime.end("SIGTERM");
    started(startServing("runtime", host));
    await untilReady(host);
    const { body } = await predict(host);
    expect(body).toMatchObject({ model: next, predictions: probabilities(goldenRows(development).outputs) });
    expect((await ask(`${host.url}/accuracy`)).body).toMatchObject({ model: next, rows: expect.any(Number) });
  });

  it("do not start with a model that answers its golden rows wrongly, and say so in one line", async () => {
    const host = await newHost("wrong");
    const golden = { ...goldenRows(production), outputs: outputs.map((output) => 1 - output) };
    await installModel(host.modelsDir, { ...production, golden }, "2");
    const runtime = started(startServing("runtime", host));
    expect(await runtime.ended).toBe(6);
    expect(JSON.parse(runtime.output())).toMatchObject({ code: "E_GATE_FAILED", msg: "cannot start" });
  });
});

describe.skipIf(queueAbsent)(`jobs${queueAbsent ? ` (${queueAbsent})` : ""}`, () => {
  let server: QueueServer;
  beforeAll(async () => {
    await mkdir(join(folder, "queue"));
    server = await startQueueServer(join(folder, "queue"));
  });
  afterAll(() => server.stop());

  const settled = (host: Host, id: unknown) =>
    waitFor(
      "the job's end",
      async () => {
        const { body } = await ask(`${host.url}/v1/jobs/${id}`);
        return body.state === "completed" || body.state === "failed" ? body : undefined;
      },
      { timeoutMs: 15_000, intervalMs: 20, maxIntervalMs: 200 },
    );

  it("are computed by the worker, once for a key, also when the runtime comes later", async () => {
    const host = await newHost("jobs", { queue: server.queue });
    started(startServing("frontend", host));
    const runtime = started(startServing("runtime", host));
    const worker = started(startServing("worker", host));
    await untilReady(host);
    const many = Array.from({ length: 3000 }, (_, row) => rows[row % rows.length]);
    const { status, body } = await ask(`${host.url}/v1/jobs`, { rows: many });
    expect(status).toBe(202);
    const done = await settled(host, body.id);
    expect(done).toMatchObject({ state: "completed", result: { model: { name: "diabetes", version: "1" } } });
    const { predictions } = done.result as { predictions: unknown[] };
    expect(predictions).toHaveLength(3000);
    expect(predictions).toMatchObject(probabilities(many.map((_, row) => outputs[row % rows.length] as number)));

    await runtime.end("SIGKILL");
    const headers = { "idempotency-key": "the same" };
    const first = await ask(`${host.url}/v1/jobs`, { rows }, headers);
    const second = await ask(`${host.url}/v1/jobs`, { rows }, headers);
    expect(second.body.id).toBe(first.body.id);
    started(startServing("runtime", host));
    expect(await settled(host, first.body.id)).toMatchObject({ state: "completed" });
    expect((await ask(`${host.url}/v1/jobs/none`)).status).toBe(404);
    expect(await worker.end("SIGTERM")).toBe(0);
  });

  it("survive a killed worker", { timeout: 40_000 }, async () => {
    const host = await newHost("worker-killed", { queue: server.queue });
    started(startServing("frontend", host));
    const first = started(startServing("worker", host));
    const runtime = started(startServing("runtime", host));
    await untilReady(host);
    process.kill(runtime.pid, "SIGSTOP"); // so that the job is under way when its worker dies
    const { body } = await ask(`${host.url}/v1/jobs`, { rows });
    await waitFor(
      "the job to be taken",
      async () => ((await ask(`${host.url}/v1/jobs/${body.id}`)).body.state === "active" ? true : undefined),
      { timeoutMs: 5000 },
    );
    await first.end("SIGKILL");
    started(startServing("worker", host));
    process.kill(runtime.pid, "SIGCONT");
    expect(await settled(host, body.id)).toMatchObject({
      state: "completed",
      result: { predictions: probabilities(outputs) },
    });
  });

  it("keep no worker from stopping whose queue's server is away, or has moved", { timeout: 40_000 }, async () => {
    const home = join(folder, "moved-server");
    await mkdir(home);
    const own = await startQueueServer(home);
    onTestFinished(() => own.stop());
    const client = await connectQueue(own.queue, { blocking: true });
    onTestFinished(() => client.disconnect());
    client.on("error", () => undefined);
    const host = await newHost("worker-left", { queue: own.queue });
    const worker = started(startServing("worker", host));
    const isWaiting = async () => /cmd=bzpopmin/.test(String(await client.client("LIST"))) || undefined;
    await waitFor("the worker to wait for jobs", isWaiting, { timeoutMs: 20_000 });
    await own.stop();
    expect(await worker.end("SIGTERM")).toBe(0);
    expect(worker.output()).toContain("what is under way is left to another worker");
  });

  it("are refused while the queue's server is away, and predictions are not", async () => {
    const host = await newHost("queue-away", { queue: { ...server.queue, port: 9 } });
    started(startServing("frontend", host));
    started(startServing("runtime", host));
    await untilReady(host);
    const { status, body } = await ask(`${host.url}/v1/jobs`, { rows });
    expect(status).toBe(503);
    expect(body).toMatchObject({ error: { code: "QUEUE_UNAVAILABLE" } });
    expect((await predict(host)).status).toBe(200);
  });

  it("are refused with a wrong password, which no log line shows", async () => {
    const passwordFile = join(folder, "wrong-password");
    await writeFile(passwordFile, "not-the-password");
    const host = await newHost("queue-password", { queue: { ...server.queue, passwordFile } });
    const frontend = started(startServing("frontend", host));
    started(startServing("runtime", host));
    await untilReady(host);
    expect((await ask(`${host.url}/v1/jobs`, { rows })).status).toBe(503);
    expect(frontend.output()).not.toContain("not-the-password");
  });
});

describe("one file for each process", () => {
  it("is all that a host needs besides ONNX Runtime", async () => {
    const bundles = join(folder, "bundles");
    for (const { name, content } of await appEntries(root)) {
      const file = join(bundles, name);
      await mkdir(dirname(file), { recursive: true });
      await ("bytes" in content ? writeFile(file, content.bytes) : cp(content.file, file));
    }
    const server = queueAbsent ? undefined : await startQueueServer(bundles);
    if (server) onTestFinished(() => server.stop());
    const host = await newHost("bundled", server && { queue: server.queue });
    const bundle = (entry: string) =>
      started(startProcess(process.execPath, [join(bundles, `${entry}.mjs`)], host.env));
    bundle("frontend");
    bundle("runtime");
    await untilReady(host);
    expect((await predict(host)).body).toMatchObject({ predictions: probabilities(outputs) });
    if (!server) return;
    bundle("worker");
    const { body } = await ask(`${host.url}/v1/jobs`, { rows });
    const job = await waitFor(
      "the job",
      async () => answerIf(await ask(`${host.url}/v1/jobs/${body.id}`), "completed"),
      { timeoutMs: 10_000 },
    );
    expect(job.body).toMatchObject({ result: { predictions: probabilities(outputs) } });
  });
});

type Answer = Awaited<ReturnType<typeof ask>>;

function answerUnless(answer: Answer, status: number): Answer | undefined {
  return answer.status === status ? undefined : answer;
}

function answerIf(answer: Answer, state: string): Answer | undefined {
  return answer.body.state === state ? answer : undefined;
}
