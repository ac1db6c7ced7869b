/**
 * What a SIGKILL costs with 3,000 jobs in the queue: of the worker, and of the queue's server. Each of the two comes back a second later, as
 * its unit does it. Prints Markdown. The jobs are those of the tests: each leaves an effect under its own name, so that one that is lost or
 * done twice shows.
 *
 *     node_modules/.bin/node bench/serving/jobs.ts [--rounds 3]
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { compileCache } from "../../src/common/compile-cache.mjs";
import { waitFor } from "../../src/common/wait.ts";
import { type JobBench, openBench, request } from "../../test/serving/jobs/setup.ts";
import { startProcess, type TestProcess } from "../../test/serving/support.ts";
import { machineLine, median } from "../report.ts";

const { values: asked } = parseArgs({ options: { rounds: { type: "string", default: "3" } } });
const rounds = Number(asked.rounds);
const workerEntry = fileURLToPath(new URL("../../test/serving/jobs/fixtures/main-test-worker.ts", import.meta.url));
const JOBS = 3000;
/** Jobs that are under way when the worker is killed, and take their time. */
const SLOW = 4;
const SLOW_MS = 1000;
/** `RestartSec` of the units. */
const RESTART_MS = 1000;
const ALL_MS = 120_000;
const LOOK_MS = 5;
const LOOKS = { timeoutMs: ALL_MS, intervalMs: LOOK_MS, maxIntervalMs: 20 };

interface Outcome {
  lost: number;
  doubled: number;
  /** Seconds from the kill to the first job that finished afterwards. */
  nextS: number;
  /** Seconds from the kill until the last job that was under way when it came runs again: to its end, less what it takes by itself. */
  againS: number;
}

interface Victim {
  name: string;
  /** Kills it and has it come back. */
  kill: (bench: JobBench, workers: TestProcess[]) => Promise<void>;
}

const victims: Victim[] = [
  {
    name: "worker",
    kill: async (bench, workers) => {
      await workers[0]?.end("SIGKILL");
      await sleep(RESTART_MS);
      workers.push(startWorker(bench));
    },
  },
  {
    name: "queue's server (log of appends every second)",
    kill: async ({ server }) => {
      await server.stop("SIGKILL");
      await sleep(RESTART_MS);
      await server.restart();
    },
  },
];

console.log(`${machineLine(rounds)}; ${JOBS} jobs, each killed once. Medians, least and most in brackets.\n`);
console.log(
  "| killed | lost | doubled effects | s to the next finished job | s until what was interrupted runs again | target: ≤ 6 s |",
);
console.log("|---|---|---|---|---|---|");
for (const victim of victims) {
  const outcomes: Outcome[] = [];
  for (let round = 1; round <= rounds; round++) outcomes.push(await measure(victim));
  const sum = (of: (outcome: Outcome) => number) => outcomes.reduce((total, each) => total + of(each), 0);
  const spread = (of: (outcome: Outcome) => number) => {
    const values = outcomes.map(of);
    return `${median(values).toFixed(2)} (${Math.min(...values).toFixed(2)}–${Math.max(...values).toFixed(2)})`;
  };
  const [lost, doubled] = [sum((each) => each.lost), sum((each) => each.doubled)];
  const met = lost === 0 && doubled === 0 && median(outcomes.map(({ againS }) => againS)) <= 6;
  const cells = [victim.name, lost, doubled, spread(({ nextS }) => nextS), spread(({ againS }) => againS)];
  console.log(`| ${[...cells, met ? "met" : "**missed**"].join(" | ")} |`);
}

function startWorker({ folder, server }: JobBench): TestProcess {
  const { host, port } = server.queue;
  const env = {
    ...process.env,
    NODE_COMPILE_CACHE: compileCache(),
    TEST_FOLDER: folder,
    TEST_QUEUE: JSON.stringify({ host, port, password: server.password }),
  };
  return startProcess(process.execPath, [workerEntry], env);
}

async function measure({ kill }: Victim): Promise<Outcome> {
  const bench = await openBench({ persistent: true });
  const workers = [startWorker(bench)];
  try {
    const ids = Array.from({ length: JOBS }, (_, job) => `p-${job}`);
    const jobOf = (ms: number) => ({ ...request(7, ms), owner: "bench" });
    await bench.queues.work.predictions.addBulk(
      // some of those in the middle take their time, so that the kill meets jobs under way
      ids.map((jobId, job) => ({
        name: "predict",
        data: jobOf(job >= JOBS / 4 && job < JOBS / 4 + SLOW ? SLOW_MS : 0),
        opts: { jobId, attempts: 3 },
      })),
    );
    const finished = async () => new Set(await effectsOf(bench));
    const underWay = async () => {
      const done = await finished();
      const begun = (await bench.begun()).map(({ id }) => id).filter((id) => !done.has(id));
      return begun.length > 0 && done.size >= JOBS / 4 - SLOW ? begun : undefined;
    };
    await waitFor("the jobs that take their time", underWay, LOOKS);
    const killed = performance.now();
    const since = () => (performance.now() - killed) / 1000;
    const [interrupted, before] = [(await underWay()) ?? [], (await finished()).size];
    const next = waitFor("the next job", async () => (await finished()).size > before || undefined, LOOKS).then(since);
    const ended = waitFor(
      "what was interrupted",
      async () => {
        const done = await finished();
        return interrupted.every((id) => done.has(id)) || undefined;
      },
      LOOKS,
    ).then(since);
    await kill(bench, workers);
    const [nextS, endS] = await Promise.all([next, ended]);
    const counts = () => bench.queues.work.predictions.getJobCounts("completed", "failed").catch(() => undefined);
    await waitFor(
      "all jobs",
      async () => {
        const { completed = 0, failed = 0 } = (await counts()) ?? {};
        return completed + failed === JOBS || undefined;
      },
      { timeoutMs: ALL_MS, intervalMs: 100, maxIntervalMs: 300 },
    );
    const effects = await effectsOf(bench);
    const distinct = new Set(effects);
    return {
      lost: ids.filter((id) => !distinct.has(id)).length,
      doubled: effects.length - distinct.size,
      nextS,
      againS: Math.max(0, endS - SLOW_MS / 1000),
    };
  } finally {
    await Promise.all(workers.map((worker) => worker.end("SIGKILL")));
    await bench.close();
  }
}

/** The jobs that have left their effect, in order. */
async function effectsOf({ folder }: JobBench): Promise<string[]> {
  const text = await readFile(join(folder, "ledger.effects"), "utf8").catch(() => "");
  return text.split("\n").flatMap((line) => (line === "" ? [] : [line.replace(/^out-/, "")]));
}
