import { limitsOf } from "./config.ts";
import { type ChildOptions, JobChildren } from "./jobs/children.ts";
import { connectQueue } from "./jobs/connection.ts";
import { openHostQueue } from "./jobs/host-queue.ts";
import { maintenanceChores } from "./jobs/maintenance.ts";
import type { JobQueue } from "./jobs/queue.ts";
import { openQueues, type Queues } from "./jobs/queues.ts";
import { scheduleMaintenance } from "./jobs/schedules.ts";
import { openSpool } from "./jobs/spool.ts";
import { startWorker } from "./jobs/worker.ts";
import { runServingProcess } from "./process.ts";

/** The job worker: takes jobs from the queues, has them done in processes of their own, and sees to what comes periodically. */
await runServingProcess("slipway-worker", async (config, log) => {
  const { queue } = config;
  if (queue === undefined) throw new Error("a worker needs a queue: serving.json has none");
  const limits = limitsOf(config);
  const keeping = config.jobs;
  const spool = await openSpool(config.jobs.spoolDir, limits.spoolBytes);
  const connection = await connectQueue(queue, { blocking: true });
  connection.on("error", () => undefined); // the worker tells it, too
  const asking = await connectQueue(queue, { blocking: true });
  asking.on("error", () => undefined);
  const { prefix } = queue;
  let opened: Promise<Queues> | undefined;
  const queues = () => {
    opened ??= untilReady(asking).then(() => openQueues(asking, prefix, keeping));
    return opened;
  };
  const jobs = (await openHostQueue(config, log)) as JobQueue; // there is a queue
  const childOptions: ChildOptions = { entry: jobEntry(process.argv[1] ?? ""), heapMiB: limits.jobHeapMiB };
  const worker = startWorker({
    connection,
    queues,
    children: {
      predictions: new JobChildren(childOptions),
      training: new JobChildren({ ...childOptions, maxJobs: 1 }),
      maintenance: new JobChildren(childOptions),
    },
    spool,
    chores: maintenanceChores({ queues, jobs, spool, keeping, log }),
    prefix,
    lockMs: config.jobs.lockMs,
    limits,
    log,
  });
  void queues()
    .then((open) => scheduleMaintenance(open, config.jobs))
    .catch((error: unknown) => log.warn({ err: error }, "maintenance is not scheduled"));
  log.info({ queue: `${queue.host}:${queue.port}` }, "started");
  return {
    close: async () => {
      await worker.close();
      await jobs.close();
      connection.disconnect();
      asking.disconnect();
    },
  };
});

/** The module of a job's process lies beside the worker's. */
function jobEntry(worker: string): string {
  return worker.replace(/worker(\.\w+)$/, "job$1");
}

function untilReady(connection: {
  status: string;
  once(event: "ready", listener: () => void): unknown;
}): Promise<void> {
  if (connection.status === "ready") return Promise.resolve();
  return new Promise((resolve) => void connection.once("ready", resolve));
}
