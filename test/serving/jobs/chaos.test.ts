import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { waitFor } from "../../../src/common/wait.ts";
import { queueAbsent } from "../../support/queue-server.ts";
import { startProcess, type TestProcess } from "../support.ts";
import { type JobBench, openBench, request } from "./setup.ts";

const workerEntry = fileURLToPath(new URL("fixtures/main-test-worker.ts", import.meta.url));
const JOBS = 3000;
/** Jobs that are under way when the worker is killed, and take their time. */
const SLOW = 4;

/** A worker of its own process, as a host has it. */
function startWorkerProcess(bench: JobBench): TestProcess {
  const { host, port } = bench.server.queue;
  const env = {
    ...process.env,
    TEST_FOLDER: bench.folder,
    TEST_QUEUE: JSON.stringify({ host, port, password: bench.server.password }),
  };
  return startProcess(process.execPath, [workerEntry], env);
}

describe.skipIf(queueAbsent)(`with ${JOBS} jobs${queueAbsent ? ` (${queueAbsent})` : ""}`, () => {
  let bench: JobBench;
  const workers: TestProcess[] = [];
  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.end("SIGKILL")));
    await bench.close();
  });

  /** Adds all jobs: the first few take a moment, so that whoever dies dies over them. */
  async function addJobs(): Promise<string[]> {
    const data = { ...request(7), owner: "me" };
    const slow = { ...request(7, 1000), owner: "me" };
    const ids = Array.from({ length: JOBS }, (_, job) => `p-${job}`);
    await bench.queues.work.predictions.addBulk(
      ids.map((jobId, job) => ({ name: "predict", data: job < SLOW ? slow : data, opts: { jobId, attempts: 3 } })),
    );
    return ids;
  }

  const counts = () => bench.queues.work.predictions.getJobCounts("completed", "failed", "wait", "active", "delayed");
  const allDone = () =>
    waitFor("all jobs", async () => ((await counts().catch(() => undefined))?.completed === JOBS ? true : undefined), {
      timeoutMs: 60_000,
      intervalMs: 100,
      maxIntervalMs: 300,
    });
  const lines = async (name: string) => (await readFile(join(bench.folder, name), "utf8")).trim().split("\n");

  /** Nothing is lost: each job has its result. Nothing is doubled: each has left its effect once. */
  async function expectEachOnce(ids: string[]): Promise<void> {
    expect(await counts()).toMatchObject({ completed: JOBS, failed: 0, wait: 0, active: 0, delayed: 0 });
    const effects = await lines("ledger.effects");
    expect(effects.length).toBe(JOBS);
    expect(new Set(effects)).toEqual(new Set(ids.map((id) => `out-${id}`)));
    for (const id of [0, 1, JOBS - 1]) {
      expect(await readFile(bench.spool.path(`out-p-${id}`), "utf8")).toBe(`p-${id}\n`);
    }
  }

  it("a killed worker costs none, does none twice, and another goes on with what it had", {
    timeout: 120_000,
  }, async () => {
    bench = await openBench({ persistent: true });
    const ids = await addJobs();
    const first = startWorkerProcess(bench);
    workers.push(first);
    const active = async () => (await bench.begun()).length >= 2 || undefined;
    await waitFor("jobs under way", active, { timeoutMs: 20_000, intervalMs: 10 });
    const taken = new Set((await bench.begun()).map(({ id }) => id));
    const before = (await bench.begun()).length;
    await first.end("SIGKILL");
    workers.push(startWorkerProcess(bench));
    const again = await waitFor(
      "a job of the killed worker to begin again",
      async () => (await bench.begun()).slice(before).find(({ id }) => taken.has(id)),
      { timeoutMs: 30_000, intervalMs: 20, maxIntervalMs: 50 },
    );
    expect(taken).toContain(again.id);
    await allDone();
    await expectEachOnce(ids);
  });

  it("a killed queue server that comes back with its log costs none and does none twice", {
    timeout: 120_000,
  }, async () => {
    bench = await openBench({ persistent: true });
    const ids = await addJobs();
    workers.push(startWorkerProcess(bench));
    const some = async () => (await bench.begun()).length >= SLOW + 20 || undefined;
    await waitFor("some jobs", some, { timeoutMs: 30_000, intervalMs: 10 });
    await bench.server.stop("SIGKILL");
    await bench.server.restart();
    await allDone();
    await expectEachOnce(ids);
  });

  it("a job that takes its worker along every time ends as a dead letter", { timeout: 120_000 }, async () => {
    bench = await openBench();
    await bench.queues.work.predictions.add("predict", { ...request(8), owner: "me" }, { jobId: "p-poison" });
    let deaths = 0;
    let last = startWorkerProcess(bench);
    workers.push(last);
    const letter = await waitFor(
      "the letter",
      async () => {
        const ended = await Promise.race([
          last.ended.then(() => true),
          new Promise((go) => setTimeout(go, 100, false)),
        ]);
        if (ended) {
          deaths++;
          last = startWorkerProcess(bench);
          workers.push(last);
        }
        return (await bench.jobs.deadLetters.list(0, 1)).letters[0];
      },
      { timeoutMs: 90_000, intervalMs: 50, maxIntervalMs: 100 },
    );
    expect(letter).toMatchObject({
      id: "p-poison",
      reason: expect.stringContaining("stalled more than allowable limit"),
    });
    expect(deaths).toBe(3);
  });
});
