import { type ConnectionOptions, QueueEvents } from "bullmq";
import type { RedisOptions } from "ioredis";
import { queueNames } from "./records.ts";

/** Tells that something happened to a job: what it was, the job itself says. */
export interface JobEvents {
  /** Calls the listener when something may have happened to the job, until the returned function is called. */
  watch(id: string, listener: () => void): () => void;
  wake(id: string): void;
  close(): Promise<void>;
}

const told = [
  "added",
  "waiting",
  "delayed",
  "active",
  "progress",
  "completed",
  "failed",
  "stalled",
  "removed",
] as const;

/**
 * The queues' events for any number of listeners over one connection a queue, opened for the first of them. An event may get lost with
 * its connection, so that listeners look by themselves as well, now and then.
 */
export function openJobEvents(prefix: string, listen: () => Promise<RedisOptions>): JobEvents {
  const listeners = new Map<string, Set<() => void>>();
  let streams: Promise<QueueEvents[]> | undefined;

  const wake = (id: string): void => {
    for (const listener of listeners.get(rootOf(id)) ?? []) listener();
  };

  async function open(): Promise<QueueEvents[]> {
    const connection = (await listen()) as ConnectionOptions; // its type wants what its client has
    return [queueNames.predictions, queueNames.training, queueNames.maintenance].map((name) => {
      const events = new QueueEvents(name, { connection, prefix });
      events.on("error", () => undefined); // it connects again by itself
      for (const event of told) events.on(event, ({ jobId }: { jobId: string }) => wake(jobId));
      return events;
    });
  }

  return {
    watch: (id, listener) => {
      streams ??= open().catch(() => {
        streams = undefined; // the next one tries again
        return [];
      });
      const root = rootOf(id);
      const watching = listeners.get(root) ?? new Set();
      listeners.set(root, watching.add(listener));
      return () => {
        watching.delete(listener);
        if (watching.size === 0 && listeners.get(root) === watching) listeners.delete(root);
      };
    },
    wake,
    close: async () => {
      listeners.clear();
      for (const events of (await streams) ?? []) await events.close().catch(() => undefined);
    },
  };
}

/** The job that a step belongs to. */
function rootOf(id: string): string {
  return id.startsWith("t-") ? id.replace(/\.[a-z]+$/, "") : id;
}
