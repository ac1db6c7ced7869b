import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { digestOf } from "../../../src/common/digest.ts";
import { pathExists } from "../../../src/common/files.ts";
import { waitFor } from "../../../src/common/wait.ts";
import type { TrainJobRequest } from "../../../src/serving/jobs/requests.ts";
import { trainingCurves } from "../../../src/serving/jobs/training-curve.ts";
import { readRegistry } from "../../../src/serving/models/registry-file.ts";
import { queueAbsent } from "../../support/queue-server.ts";
import { type JobBench, openBench, taken, until } from "./setup.ts";

/** A step after one that failed, which the queue gives up a moment later. */
const givenUp = expect.stringMatching(/^(waiting|active|failed)$/);

describe.skipIf(queueAbsent)(`a training${queueAbsent ? ` (${queueAbsent})` : ""}`, () => {
  let bench: JobBench;
  let worker: ReturnType<JobBench["work"]> | undefined;
  beforeAll(async () => {
    bench = await openBench();
  });
  afterEach(async () => {
    await worker?.close();
    worker = undefined;
    await bench.queues.redis.flushall();
  });
  afterAll(() => bench.close());

  const modelsDir = () => `${bench.folder}/models`;
  async function submit(
    spec: Record<string, unknown>,
    publish: TrainJobRequest["publish"] = { name: "trained" },
    key?: string,
  ) {
    const { file } = await bench.spool.put([Buffer.from("1,2\n")] as unknown as AsyncIterable<Uint8Array>, 100);
    const terms = { priority: "normal", deadlineS: 600, delayS: 0, digest: digestOf(JSON.stringify(spec)) } as const;
    const training = { spec: { epochs: 3, minAccuracy: 0.5, ...spec } };
    const request: TrainJobRequest = { kind: "train", ...terms, training, spooled: file, ...(publish && { publish }) };
    return { id: taken(await bench.jobs.submit(request, "me", key)).id, file };
  }

  it("goes from step to step, tells each epoch, and is published once", async () => {
    const { id, file } = await submit({}, { name: "trained" }, "one training");
    const again = await submit({}, { name: "trained" }, "one training");
    expect(again.id).toBe(id);
    expect(await bench.jobs.find(id)).toMatchObject({ kind: "train", state: "waiting", owner: "me" });
    worker = bench.work();
    const done = await until(bench.jobs, id, "completed", "failed");
    expect(done).toMatchObject({
      state: "completed",
      steps: [
        { step: "train", state: "completed", progress: { done: 3, total: 3, loss: 1 / 3 } },
        { step: "validate", state: "completed" },
        { step: "publish", state: "completed" },
      ],
      result: { metrics: { accuracy: 0.75 }, model: { name: "trained", version: "1" } },
    });
    const { lines } = await bench.jobs.log(id, 0);
    expect(lines.slice(1).filter((line) => line.startsWith("2026-01-01"))).toEqual(
      [1, 2, 3].map((epoch) => `2026-01-01T00:00:00.000Z epoch ${epoch}`),
    );
    expect(await trainingCurves(bench.jobs)(id)).toEqual(
      [1, 2, 3].map((epoch) => ({ epoch, epochs: 3, loss: 1 / epoch })),
    );
    const registry = await readRegistry(modelsDir());
    expect(registry.models.trained).toMatchObject({ live: "1", versions: [{ version: "1" }] });
    await waitFor("its rows to go", async () => !(await pathExists(bench.spool.path(file))) || undefined, {
      timeoutMs: 5000,
    });
    // the same model under the same name is the same version
    const second = await submit({ epochs: 1 });
    await until(bench.jobs, second.id, "completed");
    expect((await readRegistry(modelsDir())).models.trained?.versions).toHaveLength(1);
    expect((await bench.jobs.list({ limit: 10, kind: "train" })).jobs.map((job) => job.id)).toEqual([second.id, id]);
  });

  it("ends with its verdict where nothing is to be published", async () => {
    worker = bench.work();
    const { id } = await submit({}, null as never);
    const done = await until(bench.jobs, id, "completed", "failed");
    expect(done).toMatchObject({ state: "completed", result: { verdict: { passed: true } } });
    expect(done.steps?.map(({ step }) => step)).toEqual(["train", "validate"]);
  });

  it("that does not pass its gate fails there, publishes nothing, and is a dead letter that can be replayed", async () => {
    worker = bench.work();
    const { id } = await submit({ minAccuracy: 0.9 }, { name: "too-bad" });
    const failed = await until(bench.jobs, id, "failed");
    const reason = "the gate is not passed: accuracy is 0.75, at least 0.9 is asked for";
    expect(failed).toMatchObject({
      reason,
      steps: [
        { step: "train", state: "completed" },
        { step: "validate", state: "failed", reason },
        { step: "publish", state: givenUp },
      ],
    });
    expect((await readRegistry(modelsDir())).models["too-bad"]).toBeUndefined();
    const letters = async () => (await bench.jobs.deadLetters.list(0, 10)).letters;
    const [letter] = await waitFor("the letter", async () => ((await letters()).length > 0 ? letters() : undefined), {
      timeoutMs: 5000,
    });
    expect(letter).toMatchObject({ id, kind: "train", reason });
    expect(await letters()).toHaveLength(1);
    expect(await bench.jobs.deadLetters.replay(id)).toBe(true);
    expect(await until(bench.jobs, id, "failed")).toMatchObject({ reason });
  });

  it("whose trainer refuses fails with its words, and the steps after it with it", async () => {
    worker = bench.work();
    const { id } = await submit({ fails: "the network has no layers" });
    const failed = await until(bench.jobs, id, "failed");
    expect(failed.reason).toBe("the network has no layers");
    expect(failed.steps?.map(({ state }) => state)).toEqual(["failed", givenUp, givenUp]);
    await waitFor(
      "the steps after it to be given up",
      async () => ((await bench.queues.work.maintenance.getFailedCount()) === 2 ? true : undefined),
      { timeoutMs: 5000 },
    );
    expect((await bench.jobs.deadLetters.list(0, 10)).total).toBe(1);
  });

  it("is cancelled with all its steps, waiting or under way", async () => {
    const waiting = await submit({}, { name: "never" });
    expect(await bench.jobs.cancel(waiting.id)).toMatchObject({ state: "cancelled" });
    expect(await bench.queues.work.training.count()).toBe(0);
    expect(await pathExists(bench.spool.path(waiting.file))).toBe(false);
    worker = bench.work();
    const { id } = await submit({ epochs: 10_000 }, { name: "never" });
    await waitFor("an epoch", async () => (await bench.jobs.find(id))?.progress, { timeoutMs: 15_000 });
    await bench.jobs.cancel(id);
    await waitFor(
      "its end",
      async () => ((await bench.queues.work.training.getActiveCount()) === 0 ? true : undefined),
      {
        timeoutMs: 10_000,
      },
    );
    expect(await bench.jobs.find(id)).toMatchObject({ state: "cancelled" });
    expect((await readRegistry(modelsDir())).models.never).toBeUndefined();
    expect((await bench.jobs.deadLetters.list(0, 10)).total).toBe(0);
  });
});
