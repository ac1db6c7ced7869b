import { readFile } from "node:fs/promises";
import { Redis, type RedisOptions } from "ioredis";
import type { ServingConfig } from "../config.ts";

const COMMAND_TIMEOUT_MS = 2000;

/** Where a host's queue is, as its configuration says it. */
type QueuePlace = Pick<NonNullable<ServingConfig["queue"]>, "host" | "port" | "passwordFile">;

/**
 * How to connect to the host's queue. `blocking` is for workers and for who listens: they wait for a server that is away, while a
 * frontend must fail at once.
 */
export async function queueOptions(place: QueuePlace, { blocking }: { blocking: boolean }): Promise<RedisOptions> {
  const { host, port, passwordFile } = place;
  const password = (await readFile(passwordFile, "utf8")).trim();
  return {
    host,
    port,
    password,
    retryStrategy: (attempt) => Math.min(50 * 2 ** attempt, 1000) * (0.5 + Math.random() / 2),
    ...(blocking
      ? { maxRetriesPerRequest: null }
      : { maxRetriesPerRequest: 0, enableOfflineQueue: false, commandTimeout: COMMAND_TIMEOUT_MS }),
  };
}

/** A connection to the host's queue; see {@link queueOptions}. */
export async function connectQueue(place: QueuePlace, mode: { blocking: boolean }): Promise<Redis> {
  return new Redis(await queueOptions(place, mode));
}
