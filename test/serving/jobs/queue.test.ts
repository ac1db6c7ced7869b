import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { waitFor } from "../../../src/common/wait.ts";
import { isAlive } from "../../support/alive.ts";
import { queueAbsent } from "../../support/queue-server.ts";
import { type JobBench, openBench, request, taken, until } from "./setup.ts";

describe.skipIf(queueAbsent)(`jobs${queueAbsent ? ` (${queueAbsent})` : ""}`, () => {
  let bench: JobBench;
  let worker: ReturnType<JobBench["work"]> | undefined;
  beforeAll(async () => {
    bench = await openBench({ waitingJobs: 50 });
  });
  afterEach(async () => {
    await worker?.close();
    worker = undefined;
    await bench.queues.redis.flushall();
  });
  afterAll(() => bench.close());

  const submit = async (...args: Parameters<typeof request>) =>
    taken(await bench.jobs.submit(request(...args), "me")).id;
  const letters = async () => (await bench.jobs.deadLetters.list(0, 50)).letters;

  it("that wait are cancelled at once, and a worker does not begin them", async () => {
    const id = await submit(0);
    expect(await bench.jobs.cancel(id)).toMatchObject({ id, state: "cancelled", reason: "cancelled" });
    const after = await submit(0);
    worker = bench.work();
    await until(bench.jobs, after, "completed");
    expect((await bench.begun()).map((run) => run.id)).not.toContain(id);
    expect(await bench.jobs.find(id)).toMatchObject({ state: "cancelled" });
    expect(await bench.jobs.cancel(after)).toMatchObject({ state: "completed" });
    expect(await bench.jobs.cancel("p-unknown")).toBeUndefined();
  });

  it("that run are cancelled: by their own consent, and by force where they block", async () => {
    worker = bench.work({ child: { graceMs: 200 } });
    const [willing, blocked] = [await submit(1, 60_000), await submit(2, 60_000)];
    await Promise.all([until(bench.jobs, willing, "active"), until(bench.jobs, blocked, "active")]);
    const run = await waitFor(
      "the blocked one to run",
      async () => (await bench.begun()).find(({ id }) => id === blocked),
      {
        timeoutMs: 10_000,
      },
    );
    await Promise.all([bench.jobs.cancel(willing), bench.jobs.cancel(blocked)]);
    await waitFor("the killed process", async () => !isAlive(run.pid) || undefined, { timeoutMs: 10_000 });
    expect(await bench.jobs.find(willing)).toMatchObject({ state: "cancelled" });
    expect(await bench.jobs.find(blocked)).toMatchObject({ state: "cancelled" });
    await waitFor(
      "the queue to be empty",
      async () => (await bench.queues.work.predictions.getActiveCount()) === 0 || undefined,
      {
        timeoutMs: 10_000,
      },
    );
    expect(await letters()).toEqual([]);
  });

  it("end with their deadline, whether they wait, are tried again, or run", async () => {
    const waiting = await submit(0, 0, { deadlineS: 0.05 });
    await sleep(60);
    expect(await bench.jobs.find(waiting)).toMatchObject({ state: "failed", reason: "deadline" });
    worker = bench.work({ child: { graceMs: 100 } });
    const running = await submit(1, 60_000, { deadlineS: 2 });
    const failing = await submit(4, 0, { deadlineS: 1 });
    for (const id of [waiting, running, failing]) {
      expect(await until(bench.jobs, id, "failed")).toMatchObject({ reason: "deadline" });
    }
    expect(await letters()).toEqual([]);
  });

  it("do not keep their worker from its locks when they block for longer than a lock lives", {
    timeout: 30_000,
  }, async () => {
    worker = bench.work();
    const id = await submit(2, 6500);
    expect(await until(bench.jobs, id, "completed")).toMatchObject({ attempts: 1 });
  });

  it("are their worker's for as long as it is told, 5 s unless", async () => {
    const lockOf = async (lockMs?: number) => {
      worker = bench.work(lockMs === undefined ? {} : { lockMs });
      const id = await submit(1, 60_000);
      await until(bench.jobs, id, "active");
      const left = await bench.queues.redis.pttl(`test:predictions:${id}:lock`);
      await bench.jobs.cancel(id);
      await worker.close();
      return left;
    };
    const usual = await lockOf();
    expect(usual).toBeGreaterThan(0);
    expect(usual).toBeLessThanOrEqual(5000);
    expect(await lockOf(600_000)).toBeGreaterThan(5000);
  });

  it("are tried again after a failure, and given up as dead letters, which can be replayed or deleted", async () => {
    worker = bench.work();
    const final = await submit(5);
    expect(await until(bench.jobs, final, "failed")).toMatchObject({ reason: "never", attempts: 1 });
    const job = await bench.queues.work.predictions.add(
      "predict",
      { ...request(4), owner: "me" },
      {
        jobId: "p-two",
        attempts: 2,
        backoff: { type: "exponential", delay: 20, jitter: 0.5 },
      },
    );
    expect(await until(bench.jobs, job.id as string, "failed")).toMatchObject({ reason: "not this time", attempts: 2 });
    await waitFor("both letters", async () => (await letters()).length === 2 || undefined, { timeoutMs: 5000 });
    expect((await letters()).map(({ id }) => id).sort()).toEqual([final, "p-two"].sort());

    // what made it fail is gone: here by changing what it asks for
    const letter = await bench.queues.deadLetters.getJob(final);
    await letter?.updateData({ ...letter.data, data: { ...letter.data.data, rows: [[0, 0]] } });
    expect(await bench.jobs.deadLetters.replay(final)).toBe(true);
    expect(await until(bench.jobs, final, "completed")).toMatchObject({ id: final, attempts: 1 });
    expect(await bench.jobs.deadLetters.replay(final)).toBe(false);
    expect(await bench.jobs.deadLetters.remove("p-two")).toBe(true);
    expect(await bench.jobs.find("p-two")).toBeUndefined();
    expect(await letters()).toEqual([]);
  });

  it("that kill their process are given up after the second time, others beside them are not", async () => {
    worker = bench.work({ child: { heapMiB: 32 } });
    const [exits, hoards, good] = [await submit(3), await submit(6), await submit(1, 300)];
    expect(await until(bench.jobs, good, "completed")).toMatchObject({ attempts: 1 });
    for (const id of [exits, hoards]) {
      const report = await until(bench.jobs, id, "failed");
      expect(report).toMatchObject({ attempts: 2, reason: expect.stringMatching(/process ended .*2 times$/) });
    }
    await waitFor("both letters", async () => (await letters()).length === 2 || undefined, { timeoutMs: 5000 });
  });

  it("with the same key are one job, however many ask at once; with another request the key is refused", async () => {
    const ask = (behaviour: number) => bench.jobs.submit(request(behaviour), "me", "a key");
    const all = (await Promise.all(Array.from({ length: 20 }, () => ask(0)))).map(taken);
    expect(new Set(all.map(({ id }) => id)).size).toBe(1);
    expect(await bench.queues.work.predictions.count()).toBe(1);
    expect(await ask(1)).toEqual({ refused: "key-reused" });
    const other = taken(await bench.jobs.submit(request(0), "somebody else", "a key"));
    expect(other.id).not.toBe(all[0]?.id);
  });

  it("begin by priority, then in the order in which they came", async () => {
    const ids: Record<string, string> = {};
    for (const priority of ["low", "normal", "high"] as const) {
      for (const place of [1, 2]) ids[`${priority} ${place}`] = await submit(0, place, { priority });
    }
    worker = bench.work({ concurrency: 1 });
    await until(bench.jobs, ids["low 2"] as string, "completed");
    const names = new Map(Object.entries(ids).map(([name, id]) => [id, name]));
    const order = (await bench.begun()).flatMap(({ id }) => names.get(id) ?? []);
    expect(order).toEqual(["high 1", "high 2", "normal 1", "normal 2", "low 1", "low 2"]);
  });

  it("are refused when too many wait, with a time that follows from how fast they leave; a known key is not", async () => {
    const first = taken(await bench.jobs.submit(request(0), "me", "first"));
    for (let job = 1; job < 50; job++) await submit(0);
    expect(await bench.jobs.submit(request(0), "me")).toEqual({ refused: "full", retryAfterS: 30 });
    expect(taken(await bench.jobs.submit(request(0), "me", "first")).id).toBe(first.id);
    worker = bench.work();
    await waitFor("all to be done", async () => (await bench.queues.work.predictions.count()) === 0 || undefined, {
      timeoutMs: 10_000,
    });
    await worker.close();
    for (let job = 0; job < 50; job++) await submit(0);
    expect(await bench.jobs.submit(request(0), "me")).toMatchObject({
      refused: "full",
      retryAfterS: expect.any(Number),
    });
    const refused = await bench.jobs.submit(request(0), "me");
    expect("retryAfterS" in refused && refused.retryAfterS).toBeLessThan(10);
  });

  it("are listed page by page, newest first, of one owner or of all", async () => {
    const mine: string[] = [];
    for (let job = 0; job < 5; job++) mine.unshift(await submit(0, job));
    const theirs = taken(await bench.jobs.submit(request(0), "them")).id;
    await bench.jobs.cancel(mine[1] as string);
    const first = await bench.jobs.list({ owner: "me", limit: 2 });
    expect(first.jobs.map(({ id }) => id)).toEqual(mine.slice(0, 2));
    const rest = await bench.jobs.list({ owner: "me", limit: 10, ...(first.next && { before: first.next }) });
    expect(rest.jobs.map(({ id }) => id)).toEqual(mine.slice(2));
    expect(rest.next).toBeUndefined();
    expect((await bench.jobs.list({ limit: 10 })).jobs.map(({ id }) => id)).toEqual([theirs, ...mine]);
    const cancelled = await bench.jobs.list({ owner: "me", limit: 10, state: "cancelled" });
    expect(cancelled.jobs.map(({ id }) => id)).toEqual([mine[1]]);
  });

  it("of a worker that stops go back to their place, and lose no attempt", { timeout: 30_000 }, async () => {
    worker = bench.work();
    const id = await submit(1, 60_000);
    await until(bench.jobs, id, "active");
    await worker.close();
    expect(await bench.jobs.find(id)).toMatchObject({ state: "waiting" });
    expect((await bench.queues.work.predictions.getJob(id))?.attemptsMade).toBe(0);
    expect(worker.children.pids).toEqual([]);
  });

  it("use a process again, and not for ever", async () => {
    worker = bench.work({ concurrency: 1, child: { maxJobs: 2 } });
    const ids: string[] = [];
    for (let job = 0; job < 5; job++) ids.push(await submit(0));
    await until(bench.jobs, ids[4] as string, "completed");
    const runs = (await bench.begun()).filter(({ id }) => ids.includes(id));
    expect(runs.map(({ pid }) => runs.findIndex((run) => run.pid === pid))).toEqual([0, 0, 2, 2, 4]);
  });

  it("come by themselves when a schedule says so, once for each time", async () => {
    worker = bench.work();
    await bench.jobs.schedules.put("often", { everyS: 1 }, request(0), "me");
    expect(await bench.jobs.schedules.list()).toMatchObject([{ name: "often", rhythm: { everyS: 1 }, owner: "me" }]);
    const brought = await waitFor(
      "two jobs",
      async () => {
        const { jobs } = await bench.jobs.list({ owner: "me", limit: 10, state: "completed" });
        return jobs.length >= 2 ? jobs : undefined;
      },
      { timeoutMs: 10_000 },
    );
    expect(new Set(brought.map(({ id }) => id)).size).toBe(brought.length);
    expect(await bench.jobs.schedules.remove("often")).toBe(true);
    expect(await bench.jobs.schedules.list()).toEqual([]);
    await expect(bench.jobs.schedules.put("never", { cron: "not a pattern" }, request(0), "me")).rejects.toThrow();
  });

  it("leave no file behind in the spool", async () => {
    const { file } = await bench.spool.put([Buffer.from("1,2\n")] as unknown as AsyncIterable<Uint8Array>, 100);
    worker = bench.work();
    const { rows: _, ...terms } = request(0);
    const job = taken(await bench.jobs.submit({ ...terms, spooled: { file, format: "csv" } }, "me"));
    await until(bench.jobs, job.id, "completed");
    const names = () => readdir(join(bench.folder, "spool"));
    await waitFor("the file to go", async () => !(await names()).includes(file) || undefined, { timeoutMs: 5000 });
  });
});
