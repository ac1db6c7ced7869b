import type { Job } from "bullmq";
import type { Logger } from "pino";
import { keepMissedLetters } from "./dead-letters.ts";
import type { JobQueue } from "./queue.ts";
import type { Keeping, Queues } from "./queues.ts";
import { maintenanceTasks, type SubmitOrder } from "./schedules.ts";
import type { Spool } from "./spool.ts";

export interface MaintenanceTools {
  queues: () => Promise<Queues>;
  jobs: Pick<JobQueue, "submit">;
  spool: Pick<Spool, "sweep">;
  keeping: Keeping;
  log: Logger;
}

const DAY_S = 24 * 3600;
/** Jobs that one sweep removes from one queue, at most. */
const SWEPT_JOBS = 1000;

/** Maintenance that the worker does by itself: it waits for the queue's server and for the disk, and computes nothing. */
export function maintenanceChores(tools: MaintenanceTools): Record<string, (job: Job) => Promise<unknown>> {
  return {
    [maintenanceTasks.sweep]: () => sweep(tools),
    [maintenanceTasks.submit]: (job) => submitScheduled(tools, job),
  };
}

/** Removes what was kept long enough, and finds dead letters that a dying worker did not keep. */
async function sweep({ queues, spool, keeping, log }: MaintenanceTools): Promise<Record<string, number>> {
  const open = await queues();
  const letters = await keepMissedLetters(open);
  let jobs = 0;
  for (const queue of Object.values(open.work)) {
    // BullMQ does it only when another job ends
    jobs += (await queue.clean(keeping.keepS * 1000, SWEPT_JOBS, "completed")).length;
    jobs += (await queue.clean(keeping.keepFailedS * 1000, SWEPT_JOBS, "failed")).length;
  }
  jobs += (await open.deadLetters.clean(keeping.keepFailedS * 1000, SWEPT_JOBS, "wait")).length;
  // a training's steps may wait for each other for a while
  const results = await spool.sweep(Math.max(keeping.keepS, DAY_S) * 1000, true);
  const inputs = await spool.sweep((keeping.keepFailedS + DAY_S) * 1000, false);
  if (letters > 0) log.warn({ letters }, "dead letters were found that nobody had kept");
  return { letters, jobs, files: results + inputs };
}

/** Adds the job that a schedule brings: once for each of its times, however often this is tried. */
async function submitScheduled({ jobs, log }: MaintenanceTools, job: Job): Promise<unknown> {
  const { request, owner, schedule } = job.data as SubmitOrder;
  const submitted = await jobs.submit(request, owner, `schedule ${job.id}`);
  if ("job" in submitted) return { schedule, job: submitted.job.id };
  log.warn({ schedule, refused: submitted.refused }, "a scheduled job was not taken");
  throw new Error(`the job was not taken: ${submitted.refused}`);
}
