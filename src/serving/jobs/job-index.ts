import { createHash } from "node:crypto";
import type { Redis } from "ioredis";
import { ownKey } from "./queues.ts";

/** Newer ones push the oldest out of the lists; the jobs themselves are still found by their ids. */
const LISTED_JOBS = 20_000;

const TIME_DIGITS = 17;

/** A page of job ids, newest first. */
export interface IdPage {
  ids: { id: string; at: string }[];
  /** More come after the last of these. */
  more: boolean;
}

/** Which jobs there are, by owner and altogether: what BullMQ, which knows states only, cannot list. */
export function jobIndex(redis: Redis, prefix: string) {
  const all = ownKey(prefix, "jobs");
  const of = (owner: string) => ownKey(prefix, "jobs", createHash("sha256").update(owner).digest("hex").slice(0, 32));
  return {
    /** Lists a job; once, however often it is told. */
    add: async (id: string, owner: string): Promise<void> => {
      // members sort by time, then id: a place in the list is a member, and stays one when others come and go
      const micros = Math.round((performance.timeOrigin + performance.now()) * 1000);
      const member = `${String(micros).padStart(TIME_DIGITS, "0")} ${id}`;
      const transaction = redis.multi();
      for (const key of [all, of(owner)]) {
        transaction.zadd(key, 0, member).zremrangebyrank(key, 0, -LISTED_JOBS - 1);
      }
      await transaction.exec();
    },
    /** Ids before a place in the list (`at` of an earlier page), of one owner or of all. */
    page: async (owner: string | undefined, before: string | undefined, count: number): Promise<IdPage> => {
      const key = owner === undefined ? all : of(owner);
      const members = await redis.zrevrangebylex(key, before ? `(${before}` : "+", "-", "LIMIT", 0, count + 1);
      const ids = members.slice(0, count).map((member) => ({ id: member.slice(TIME_DIGITS + 1), at: member }));
      return { ids, more: members.length > count };
    },
    /** Takes jobs that are no more out of the lists. */
    remove: async (members: string[], owner: string | undefined): Promise<void> => {
      if (members.length === 0) return;
      await redis.zrem(all, ...members);
      if (owner !== undefined) await redis.zrem(of(owner), ...members);
    },
  };
}
