import { getNextMillis } from "bullmq";
import type { Queues } from "./queues.ts";
import type { JobRequest } from "./requests.ts";

/** When a scheduled job comes: every so many seconds, or by a cron pattern (five fields, or six with seconds; UTC). */
type Rhythm = { everyS: number } | { cron: string };

/** A job that comes by itself. */
interface Schedule {
  name: string;
  rhythm: Rhythm;
  owner: string;
  kind: JobRequest["kind"];
  /** ISO 8601, UTC. */
  next?: string;
}

/** What the worker does with the maintenance job that a schedule brings. */
export interface SubmitOrder {
  request: JobRequest;
  owner: string;
  schedule: string;
}

/** Jobs that come by themselves, as people set them up. */
export interface JobSchedules {
  /** Sets up a schedule, in place of the one of this name if there is one. Throws on a pattern that is none. */
  put(name: string, rhythm: Rhythm, request: JobRequest, owner: string): Promise<Schedule>;
  list(): Promise<Schedule[]>;
  find(name: string): Promise<Schedule | undefined>;
  /** False when there is no such schedule. What it has brought already stays. */
  remove(name: string): Promise<boolean>;
}

const PREFIX = "user.";
const MAX_SCHEDULES = 1000;

/** Maintenance that every installation has. Names of the jobs, and of their schedulers. */
export const maintenanceTasks = { sweep: "sweep", selfCheck: "self-check", submit: "submit" } as const;

export function jobSchedules(queues: () => Promise<Queues>): JobSchedules {
  const list = async (): Promise<Schedule[]> => {
    const found = await (await queues()).work.maintenance.getJobSchedulers(0, MAX_SCHEDULES);
    return found.flatMap(({ key, every, pattern, next, template }) => {
      const order = template?.data as SubmitOrder | undefined;
      if (!key.startsWith(PREFIX) || !order) return [];
      return [
        {
          name: order.schedule,
          rhythm: pattern === undefined ? { everyS: Number(every) / 1000 } : { cron: pattern },
          owner: order.owner,
          kind: order.request.kind,
          ...(next && { next: new Date(next).toISOString() }),
        },
      ];
    });
  };
  return {
    put: async (name, rhythm, request, owner) => {
      const { maintenance } = (await queues()).work;
      const order: SubmitOrder = { request, owner, schedule: name };
      await maintenance.upsertJobScheduler(PREFIX + name, repeatOf(rhythm), {
        name: maintenanceTasks.submit,
        data: order,
        opts: { removeOnComplete: { count: 10 }, removeOnFail: { count: 10 } },
      });
      return { name, rhythm, owner, kind: request.kind };
    },
    list,
    find: async (name) => (await list()).find((schedule) => schedule.name === name),
    remove: async (name) => (await queues()).work.maintenance.removeJobScheduler(PREFIX + name),
  };
}

/** True for a rhythm that has a next time. */
export function comesAgain(rhythm: Rhythm): boolean {
  try {
    return getNextMillis(Date.now(), repeatOf(rhythm)) !== undefined;
  } catch {
    return false; // a cron pattern that is none
  }
}

function repeatOf(rhythm: Rhythm) {
  return "cron" in rhythm ? { pattern: rhythm.cron, tz: "UTC" } : { every: rhythm.everyS * 1000 };
}

/** Has maintenance come by itself; the intervals are in seconds, and what has none is taken off. */
export async function scheduleMaintenance(
  { work }: Queues,
  every: { sweepS: number; selfCheckS: number },
): Promise<void> {
  const tasks = [
    [maintenanceTasks.sweep, every.sweepS],
    [maintenanceTasks.selfCheck, every.selfCheckS],
  ] as const;
  for (const [name, seconds] of tasks) {
    if (seconds === 0) await work.maintenance.removeJobScheduler(name);
    else {
      await work.maintenance.upsertJobScheduler(
        name,
        { every: seconds * 1000 },
        {
          name,
          data: {},
          opts: { attempts: 1, removeOnComplete: { count: 3 }, removeOnFail: { count: 10 } },
        },
      );
    }
  }
}
