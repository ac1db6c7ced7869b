import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { waitFor } from "../../../src/common/wait.ts";
import { newToken } from "../../../src/serving/access/tokens.ts";
import { goldenNumbers, hasGoldenRows } from "../../../src/serving/models/golden.ts";
import { importModel } from "../../../src/serving/models/import.ts";
import { packageTar } from "../../../src/serving/models/package.ts";
import { readRegistry } from "../../../src/serving/models/registry-file.ts";
import { knownSpecs } from "../../../src/serving/training/known-specs.ts";
import { trainModel } from "../../../src/serving/training/train-model.ts";
import { type QueueServer, queueAbsent, startQueueServer } from "../../support/queue-server.ts";
import {
  ask,
  exampleModel,
  type Host,
  installModel,
  prepareHost,
  startProcess,
  startServing,
  type TestProcess,
  untilReady,
} from "../support.ts";
import { diabetesRows } from "../training/support.ts";

const cli = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url));
const howTo = await readFile(new URL("../../../docs/how-to/train.md", import.meta.url), "utf8");
const deploy = newToken("ci", "deploy");

/** What the how-to says of a host, asked of this one. */
function howToCommand(url: string): string[] {
  const [, command = ""] = /^npx slipway (train .* --on .*)$/m.exec(howTo) ?? [];
  return command.replace(/--on \S+/, `--on ${url}`).split(" ");
}

/** More epochs than pass while the test looks. */
const ENDLESS = 100_000;

describe.skipIf(queueAbsent)(`a host that trains SNIC's network${queueAbsent ? ` (${queueAbsent})` : ""}`, () => {
  let folder: string;
  let queue: QueueServer;
  let host: Host;
  let frontend: TestProcess;
  let worker: TestProcess;
  const running: TestProcess[] = [];
  const started = (process: TestProcess) => {
    running.push(process);
    return process;
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "slipway-training-host-"));
    queue = await startQueueServer(folder);
    const tokensFile = join(folder, "tokens.json");
    await writeFile(tokensFile, JSON.stringify({ tokens: [deploy.entry] }), { mode: 0o600 });
    host = await prepareHost(folder, { queue: queue.queue });
    const file = JSON.parse(await readFile(join(folder, "serving.json"), "utf8"));
    await writeFile(
      join(folder, "serving.json"),
      JSON.stringify({ ...file, frontend: { ...file.frontend, tokensFile } }),
    );
    await installModel(host.modelsDir, await importModel(exampleModel("production")));
    frontend = started(startServing("frontend", host));
    started(startServing("runtime", host));
    worker = started(startServing("worker", host));
    await untilReady(host);
  });
  afterAll(async () => {
    await Promise.all(running.map((process) => process.end("SIGKILL")));
    await queue?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const authorization = { authorization: `Bearer ${deploy.token}` };
  const get = async (path: string) => (await ask(`${host.url}${path}`, undefined, authorization)).body;
  const versions = async (name: string) => (await readRegistry(host.modelsDir)).models[name]?.versions ?? [];

  /** `slipway train … --on` the host, as a user's shell runs it. */
  function train(...words: string[]) {
    return slipway("train", "--data", diabetesRows, "--on", host.url, ...words);
  }
  function slipway(...words: string[]) {
    const args = [cli, ...words, "--json"];
    const process_ = started(startProcess(process.execPath, args, { ...process.env, SLIPWAY_TOKEN: deploy.token }));
    const lines = () =>
      process_
        .output()
        .split("\n")
        .filter((line) => line.startsWith("{") && line.endsWith("}"))
        .map((line) => JSON.parse(line));
    return {
      process: process_,
      lines,
      ended: process_.ended.then((code) => ({ code, lines: lines(), result: lines().at(-1) })),
    };
  }

  async function submit(spec: object, name: string): Promise<string> {
    const data = { text: await readFile(diabetesRows, "utf8") };
    const body = { kind: "train", spec: { ...knownSpecs.snic, ...spec }, data, publish: { name } };
    const { status, body: job } = await ask(`${host.url}/v1/jobs`, body, authorization);
    expect([status, job.error]).toEqual([202, undefined]);
    return job.id as string;
  }
  /** Waits until a training has told an epoch. @returns the job's id */
  const firstEpoch = ({ lines }: ReturnType<typeof train>): Promise<string> =>
    waitFor(
      "an epoch",
      async () => {
        const told = lines();
        return told.some(({ type }) => type === "epoch") ? told.find(({ type }) => type === "job")?.id : undefined;
      },
      { timeoutMs: 30_000, intervalMs: 20, maxIntervalMs: 50 },
    );
  const until = (id: string, ...states: string[]) =>
    waitFor(
      `${id} to be ${states.join(" or ")}`,
      async () => {
        const job = await get(`/v1/jobs/${id}`);
        return states.includes(job.state as string) ? job : undefined;
      },
      { timeoutMs: 60_000 },
    );

  it("publishes what a training here makes, and its runtimes serve that at once", async () => {
    const { package: model } = await trainModel({ spec: knownSpecs.snic, data: { path: diabetesRows } });
    const { digest } = await packageTar(model);
    const { code, lines, result } = await slipway(...howToCommand(host.url)).ended;
    expect([code, result]).toMatchObject([
      0,
      { ok: true, digest, model: { name: "diabetes", version: "1.1", digest }, metrics: { rows: 77 } },
    ]);
    expect(lines.filter(({ type }) => type === "epoch").map(({ epoch }) => epoch)).toEqual(
      Array.from({ length: 150 }, (_, index) => index + 1),
    );
    const version = await get("/version");
    expect(version.model).toEqual({ name: "diabetes", version: "1.1", digest });
    // the trainer's own forward pass, in float64, says what must come
    const { golden, card } = model;
    if (!hasGoldenRows(golden) || card.rows === undefined) throw new Error("rows were trained on");
    const { body } = await ask(`${host.url}/v1/predict`, { rows: golden.rows }, authorization);
    expect((body.predictions as { probability: number }[]).map(({ probability }) => probability)).toEqual(
      goldenNumbers(card.rows.output, golden).map((output) => expect.closeTo(output, 5)),
    );
  });

  it("publishes nothing that does not pass its gate, and says why", async () => {
    const before = await readRegistry(host.modelsDir);
    const { code, result } = await train("--network", "snic", "--min-accuracy", "0.99", "--publish", "diabetes").ended;
    expect([code, result]).toMatchObject([
      6,
      {
        ok: false,
        error: {
          code: "E_GATE_FAILED",
          message: expect.stringMatching(/^the gate is not passed: accuracy is 0\.\d+, at least 0\.99 is asked for$/),
        },
      },
    ]);
    expect(await readRegistry(host.modelsDir)).toEqual(before);
  });

  it("ends a training whose user interrupts it, and takes the next one", async () => {
    const running = train("--network", "snic", "--epochs", String(ENDLESS), "--publish", "never");
    const job = await firstEpoch(running);
    void running.process.end("SIGINT");
    const { code, result } = await running.ended;
    expect([code, result]).toMatchObject([130, { ok: false, error: { code: "E_INTERRUPTED" } }]);
    expect(await until(job, "cancelled")).toMatchObject({ kind: "train", state: "cancelled" });
    // there is room for one training at a time: the next one shows that the process of this one is gone
    const next = await submit({ epochs: 1 }, "next");
    expect(await until(next, "completed", "failed")).toMatchObject({ state: "completed" });
    expect(await versions("never")).toEqual([]);
  });

  it("goes on after worker and frontend were killed in the middle, and publishes once", {
    timeout: 120_000,
  }, async () => {
    const epochs = 1000;
    const running = train("--network", "snic", "--epochs", String(epochs), "--publish", "killed");
    const job = await firstEpoch(running);
    await Promise.all([worker.end("SIGKILL"), frontend.end("SIGKILL")]);
    expect(await versions("killed")).toEqual([]);
    [frontend, worker] = [started(startServing("frontend", host)), started(startServing("worker", host))];
    const spec = { ...knownSpecs.snic, epochs };
    const { package: model } = await trainModel({ spec, data: { path: diabetesRows } });
    const { digest } = await packageTar(model);
    const { code, result } = await running.ended;
    expect([code, result]).toMatchObject([0, { ok: true, job, digest, model: { name: "killed", version: "1" } }]);
    expect(await get(`/v1/jobs/${job}`)).toMatchObject({ state: "completed", attempts: 2 });
    expect(await versions("killed")).toMatchObject([{ version: "1", digest }]);
  });
});
