import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { pino } from "pino";
import { digestOf } from "../../../src/common/digest.ts";
import { waitFor } from "../../../src/common/wait.ts";
import { type ChildOptions, JobChildren } from "../../../src/serving/jobs/children.ts";
import { connectQueue, queueOptions } from "../../../src/serving/jobs/connection.ts";
import { maintenanceChores } from "../../../src/serving/jobs/maintenance.ts";
import { type JobQueue, openJobQueue, type Submitted } from "../../../src/serving/jobs/queue.ts";
import { openQueues, type Queues } from "../../../src/serving/jobs/queues.ts";
import type { JobReport } from "../../../src/serving/jobs/records.ts";
import type { PredictRequest } from "../../../src/serving/jobs/requests.ts";
import { openSpool, type Spool } from "../../../src/serving/jobs/spool.ts";
import { startWorker } from "../../../src/serving/jobs/worker.ts";
import { type QueueServer, startQueueServer } from "../../support/queue-server.ts";

const testJob = fileURLToPath(new URL("fixtures/main-test-job.ts", import.meta.url));

/** A queue's server with everything around it, in a folder of its own. */
export interface JobBench {
  folder: string;
  server: QueueServer;
  spool: Spool;
  jobs: JobQueue;
  queues: Queues;
  /** Jobs that have begun, in order, with the process that each began in. */
  begun: () => Promise<{ id: string; pid: number }[]>;
  /** Starts a worker in this process; its jobs run in processes of their own. */
  work: (options?: WorkOptions) => { children: JobChildren; close: () => Promise<void> };
  close: () => Promise<void>;
}

interface WorkOptions {
  concurrency?: number;
  lockMs?: number;
  child?: Partial<ChildOptions>;
}

/** Opens a bench; `prefix` keeps those apart that share a server. The caller closes it. */
export async function openBench(options: { persistent?: boolean; waitingJobs?: number } = {}): Promise<JobBench> {
  const { waitingJobs = 1000 } = options;
  const folder = await mkdtemp(join(tmpdir(), "slipway-jobs-"));
  const server = await startQueueServer(folder, { persistent: options.persistent ?? false });
  const spoolDir = join(folder, "spool");
  const ledger = join(folder, "ledger");
  const spool = await openSpool(spoolDir, 1024 ** 3);
  const keeping = { keepS: 3600, keepFailedS: 3600 };
  const connection = await ready(await connectQueue(server.queue, { blocking: false }));
  const asking = await ready(await connectQueue(server.queue, { blocking: true }));
  const listen = () => queueOptions(server.queue, { blocking: true });
  const jobs = openJobQueue(connection, { prefix: "test", waitingJobs, ...keeping, spool, listen });
  const queues = await openQueues(asking, "test", keeping);
  const closing: (() => Promise<void>)[] = [];
  return {
    folder,
    server,
    spool,
    jobs,
    queues,
    begun: async () =>
      (await readFile(ledger, "utf8").catch(() => ""))
        .split("\n")
        .filter(Boolean)
        .map((line) => ({ id: line.split(" ")[0] as string, pid: Number(line.split(" ")[1]) })),
    work: ({ concurrency = 2, child = {}, ...locks } = {}) => {
      const env = {
        ...process.env,
        TEST_SPOOL: spoolDir,
        TEST_LEDGER: ledger,
        TEST_MODELS: join(folder, "models"),
      };
      const children = new JobChildren({ entry: testJob, heapMiB: 64, env, ...child });
      const { host, port } = server.queue;
      const blocking = new Redis({ host, port, password: server.password, maxRetriesPerRequest: null });
      blocking.on("error", () => undefined);
      const log = pino({ enabled: false });
      const worker = startWorker({
        connection: blocking,
        queues: async () => queues,
        children: { predictions: children, training: children, maintenance: children },
        spool,
        chores: maintenanceChores({ queues: async () => queues, jobs, spool, keeping, log }),
        prefix: "test",
        ...locks,
        limits: { predictionJobs: concurrency, trainingJobs: 1, trainingsPerMinute: 60 },
        log,
      });
      let closed: Promise<void> | undefined;
      const close = () => {
        closed ??= worker.close().then(() => blocking.disconnect());
        return closed;
      };
      closing.push(close);
      return { children, close };
    },
    close: async () => {
      await Promise.all(closing.map((close) => close()));
      await jobs.close();
      await queues.close();
      asking.disconnect();
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function ready(connection: Redis): Promise<Redis> {
  connection.on("error", () => undefined);
  if (connection.status !== "ready") await new Promise((resolve) => void connection.once("ready", resolve));
  return connection;
}

/** A request for a job of the test's process: see `fixtures/main-test-job.ts` for what it does. */
export function request(behaviour: number, number = 0, terms: Partial<PredictRequest> = {}): PredictRequest {
  const rows = [[behaviour, number]];
  const digest = digestOf(JSON.stringify(rows));
  return { kind: "predict", priority: "normal", deadlineS: 600, delayS: 0, rows, digest, ...terms };
}

/** The job of a request that was taken; throws for one that was not. */
export function taken(submitted: Submitted): JobReport {
  if ("job" in submitted) return submitted.job;
  throw new Error(`refused: ${submitted.refused}`);
}

/** Waits for a job to be in one of these states. */
export function until(jobs: JobQueue, id: string, ...states: JobReport["state"][]): Promise<JobReport> {
  const look = async () => {
    const report = await jobs.find(id);
    return report && states.includes(report.state) ? report : undefined;
  };
  return waitFor(`${id} to be ${states.join(" or ")}`, look, { timeoutMs: 30_000, intervalMs: 20, maxIntervalMs: 100 });
}
