import type { Redis } from "ioredis";
import {
  healthSchema,
  type WorkerHealth,
  type WorkerRecord,
  type WorkerRegistration,
  workerSchema,
} from "./registration.ts";

/** All that the registry knows. */
export interface RegistrySnapshot {
  records: WorkerRecord[];
  /** Ids of workers that get nothing new, also of those that are no records: the runtimes of a frontend's own host. */
  draining: ReadonlySet<string>;
}

/** Changes a worker; undefined leaves it as it is. */
type Change<T extends WorkerRegistration> = (known: WorkerRegistration | undefined) => T | undefined;

/** Who serves what, on all hosts that share the queue's server. All methods reject while that is away. */
export interface WorkerRegistry {
  read(): Promise<RegistrySnapshot>;
  /** Adds or changes a worker that stays until it is removed. Of two changes at once neither is lost. */
  update<T extends WorkerRegistration>(id: string, change: Change<T>): Promise<T | undefined>;
  /** Registers a worker for so many milliseconds, and again: a heartbeat. */
  beat(worker: WorkerRegistration, ttlMs: number): Promise<void>;
  /** A worker goes by itself. That it is to be drained stays, for when it comes back. */
  leave(id: string): Promise<void>;
  /** Forgets all that is known of a worker. @returns whether there was one */
  remove(id: string): Promise<boolean>;
  setDraining(id: string, draining: boolean): Promise<void>;
  /** Notes what a look at a worker came to, unless it was removed meanwhile. News is told to followers at once. */
  setHealth(id: string, health: WorkerHealth, isNews: boolean): Promise<void>;
  /** Whether the process of this token is the one that looks at workers, from now on for so many milliseconds. */
  lead(token: string, ttlMs: number): Promise<boolean>;
  /** Lets another process look at workers at once. */
  stepDown(token: string): Promise<void>;
}

/** Of a prefix, the keys below which the registry is, and the channel on which changes are told. */
export function registryKeys(prefix: string) {
  const key = (name: string) => `${prefix}:slipway:workers:${name}`;
  return {
    /** Hash: id → registration. */
    workers: key("registered"),
    /** Sorted set: ids of those that registered themselves by when that ends, in the server's milliseconds. */
    leases: key("leases"),
    /** Hash: id → when draining began. */
    draining: key("draining"),
    /** Hash: id → health. */
    health: key("health"),
    /** The token of the process that looks at workers. */
    leader: key("leader"),
    changes: key("changes"),
  };
}

const NOW = `local t = redis.call('TIME'); local now = t[1] * 1000 + math.floor(t[2] / 1000)`;

const scripts = {
  read: `${NOW}
    return {tostring(now), redis.call('HGETALL', KEYS[1]), redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES'),
      redis.call('HKEYS', KEYS[3]), redis.call('HGETALL', KEYS[4])}`,
  // a change is made to what was read, or not at all
  exchange: `
    local old = redis.call('HGET', KEYS[1], ARGV[1]) or ''
    if old ~= ARGV[2] then return 0 end
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
    redis.call('ZREM', KEYS[2], ARGV[1])
    if old ~= ARGV[3] then redis.call('PUBLISH', ARGV[4], ARGV[1]) end
    return 1`,
  beat: `${NOW}
    local old = redis.call('HGET', KEYS[1], ARGV[1])
    local lease = redis.call('ZSCORE', KEYS[2], ARGV[1])
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
    redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[1])
    if old ~= ARGV[2] or not lease or tonumber(lease) < now then redis.call('PUBLISH', ARGV[4], ARGV[1]) end
    return 1`,
  setHealth: `
    if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
    redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
    return 1`,
  lead: `
    local held = redis.call('GET', KEYS[1])
    if held and held ~= ARGV[1] then return 0 end
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    return 1`,
  stepDown: `if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end return 1`,
};

/** Changes that were overtaken so often are a server that makes no progress. */
const MOST_EXCHANGES = 50;

/** The registry in the queue's server, which keeps it over a restart. */
export function redisRegistry(connection: Redis, prefix: string): WorkerRegistry {
  const keys = registryKeys(prefix);
  const tell = (id: string) => connection.publish(keys.changes, id);

  async function update<T extends WorkerRegistration>(id: string, change: Change<T>): Promise<T | undefined> {
    for (let attempt = 0; attempt < MOST_EXCHANGES; attempt++) {
      const old = await connection.hget(keys.workers, id);
      const changed = change(old === null ? undefined : workerIn(old));
      if (changed === undefined) return undefined;
      const args = [id, old ?? "", JSON.stringify(changed), keys.changes];
      if ((await connection.eval(scripts.exchange, 2, keys.workers, keys.leases, ...args)) === 1) return changed;
    }
    throw new Error(`worker ${id} is changed by others all the time`);
  }

  return {
    update,
    read: async () => {
      const [now, workers, leases, draining, health] = (await connection.eval(
        scripts.read,
        4,
        keys.workers,
        keys.leases,
        keys.draining,
        keys.health,
      )) as [string, string[], string[], string[], string[]];
      return snapshotOf(Number(now), pairsIn(workers), pairsIn(leases), new Set(draining), pairsIn(health));
    },
    beat: async (worker, ttlMs) => {
      const args = [worker.id, JSON.stringify(worker), ttlMs, keys.changes];
      await connection.eval(scripts.beat, 2, keys.workers, keys.leases, ...args);
    },
    leave: async (id) => {
      await connection.multi().hdel(keys.workers, id).zrem(keys.leases, id).hdel(keys.health, id).exec();
      await tell(id);
    },
    remove: async (id) => {
      const removed = await connection
        .multi()
        .hdel(keys.workers, id)
        .zrem(keys.leases, id)
        .hdel(keys.health, id)
        .hdel(keys.draining, id)
        .exec();
      await tell(id);
      return removed?.[0]?.[1] === 1;
    },
    setDraining: async (id, draining) => {
      if (draining) await connection.hsetnx(keys.draining, id, new Date().toISOString());
      else await connection.hdel(keys.draining, id);
      await tell(id);
    },
    setHealth: async (id, health, isNews) => {
      await connection.eval(scripts.setHealth, 2, keys.workers, keys.health, id, JSON.stringify(health));
      if (isNews) await tell(id);
    },
    lead: async (token, ttlMs) => (await connection.eval(scripts.lead, 1, keys.leader, token, ttlMs)) === 1,
    stepDown: async (token) => {
      await connection.eval(scripts.stepDown, 1, keys.leader, token);
    },
  };
}

function snapshotOf(
  now: number,
  workers: Map<string, string>,
  leases: Map<string, string>,
  draining: ReadonlySet<string>,
  healths: Map<string, string>,
): RegistrySnapshot {
  const records = [...workers].flatMap(([id, text]): WorkerRecord[] => {
    const worker = workerIn(text);
    if (worker?.id !== id) return []; // of another release, which has other fields
    const lease = leases.get(id);
    const health = healthIn(healths.get(id));
    return [
      {
        worker,
        draining: draining.has(id),
        ...(lease !== undefined && { alive: Number(lease) >= now }),
        ...(health && { health }),
      },
    ];
  });
  return { records: records.sort((a, b) => (a.worker.id < b.worker.id ? -1 : 1)), draining };
}

function pairsIn(flat: readonly string[]): Map<string, string> {
  const pairs = new Map<string, string>();
  for (let at = 0; at + 1 < flat.length; at += 2) pairs.set(flat[at] as string, flat[at + 1] as string);
  return pairs;
}

function workerIn(text: string): WorkerRegistration | undefined {
  return workerSchema.safeParse(parsed(text)).data;
}

function healthIn(text: string | undefined): WorkerHealth | undefined {
  return text === undefined ? undefined : healthSchema.safeParse(parsed(text)).data;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
