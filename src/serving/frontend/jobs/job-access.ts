import type { FastifyBaseLogger } from "fastify";
import { messageOf } from "../../../common/errors.ts";
import { type Caller, mayAct } from "../../access/roles.ts";
import type { JobQueue } from "../../jobs/queue.ts";
import type { FrontendContext } from "../context.ts";
import { HttpError } from "../errors.ts";

/** Seconds after which a queue that was away may be back. */
export const QUEUE_RETRY_S = 5;

/** The host's queue. Throws HttpError 503 where there is none. */
export function requireQueue({ jobs }: Pick<FrontendContext, "jobs">): JobQueue {
  if (jobs) return jobs;
  throw new HttpError(503, "QUEUE_ABSENT", "this host has no job queue");
}

/** What the queue answers. Its own failures are no bug of ours, the server is away: HttpError 503. */
export async function fromQueue<T>(log: FastifyBaseLogger, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    log.warn({ reason: messageOf(error) }, "the job queue failed");
    throw new HttpError(503, "QUEUE_UNAVAILABLE", "the job queue does not answer", QUEUE_RETRY_S);
  }
}

/** True for callers who see everybody's jobs. */
export function seesAll(caller: Caller): boolean {
  return mayAct(caller.role, "admin");
}

/** Jobs of releases without owners are everybody's. */
export function maySee(caller: Caller, owner: string | undefined): boolean {
  return seesAll(caller) || owner === undefined || owner === caller.name;
}
