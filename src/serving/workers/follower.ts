import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import type { Logger } from "pino";
import { messageOf } from "../../common/errors.ts";
import { type RegistrySnapshot, registryKeys, type WorkerRegistry } from "./registry.ts";

export interface FollowerOptions {
  registry: Pick<WorkerRegistry, "read">;
  /** A connection of its own, for hearing of changes. Closed with the follower. */
  listening: Redis;
  prefix: string;
  ttlMs: number;
  log: Pick<Logger, "warn" | "info">;
  onChange: (snapshot: RegistrySnapshot) => void;
}

/** Heartbeats that end are told by nobody. */
const POLL_MS = 1000;
/** Between two looks of who waits for the first that succeeds. */
const SETTLE_MS = 20;

/** Since when the registry does not answer, and why. */
export interface Absence {
  since: string;
  reason: string;
}

/**
 * Knows what the registry knows, at once when it is told of a change, else within a second. While the registry is away the last that was
 * known holds; when it is back, heartbeats get the time to arrive before they count as ended.
 */
export class RegistryFollower {
  readonly #options: FollowerOptions;
  readonly #poll: NodeJS.Timeout;
  #snapshot: RegistrySnapshot = { records: [], draining: new Set() };
  #told = "";
  #absence: Absence | undefined = { since: new Date().toISOString(), reason: "it was not asked yet" };
  #backSince = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;
  #again = false;

  constructor(options: FollowerOptions) {
    this.#options = options;
    const { listening, prefix } = options;
    listening.on("error", () => undefined); // the poll tells it
    listening.on("message", () => void this.refresh());
    listening.subscribe(registryKeys(prefix).changes).catch(() => undefined); // closed before there was a server
    this.#poll = setInterval(() => void this.refresh(), POLL_MS).unref();
    void this.refresh();
  }

  get snapshot(): RegistrySnapshot {
    return this.#snapshot;
  }

  /** Undefined while the registry answers. */
  get absence(): Absence | undefined {
    return this.#absence;
  }

  /** Reads what the registry knows now. Does not reject: a registry that is away is told by {@link absence}. */
  async refresh(): Promise<void> {
    this.#again = true;
    // whoever asks while one reads gets what is read after he asked
    while (this.#again || this.#reading) {
      if (!this.#reading) {
        this.#again = false;
        this.#reading = this.#read().finally(() => {
          this.#reading = undefined;
        });
      }
      await this.#reading;
    }
  }

  /** Resolves when the registry was read, or when that takes too long. */
  async settle(timeoutMs: number): Promise<void> {
    const late = performance.now() + timeoutMs;
    while (this.#absence && performance.now() < late) {
      await sleep(SETTLE_MS);
      await this.refresh();
    }
  }

  close(): void {
    clearInterval(this.#poll);
    this.#options.listening.disconnect();
  }

  async #read(): Promise<void> {
    const { registry, log, ttlMs, onChange } = this.#options;
    let read: RegistrySnapshot;
    try {
      read = await registry.read();
    } catch (error) {
      if (!this.#absence) log.warn({ reason: messageOf(error) }, "the workers' registry is away: what was known holds");
      this.#absence ??= { since: new Date().toISOString(), reason: messageOf(error) };
      return;
    }
    if (this.#absence) {
      // at a start nothing is known that could be kept
      if (this.#told !== "") {
        this.#backSince = performance.now();
        log.info({ since: this.#absence.since }, "the workers' registry is back");
      }
      this.#absence = undefined;
    }
    const patient = performance.now() - this.#backSince < ttlMs;
    this.#snapshot = patient ? withoutEnds(read, this.#snapshot) : read;
    const told = JSON.stringify([this.#snapshot.records, [...this.#snapshot.draining].sort()]);
    if (told === this.#told) return;
    this.#told = told;
    onChange(this.#snapshot);
  }
}

/** What was read, but for heartbeats that ended while nobody could have heard them. */
function withoutEnds(read: RegistrySnapshot, known: RegistrySnapshot): RegistrySnapshot {
  const alive = new Set(known.records.filter((record) => record.alive).map(({ worker }) => worker.id));
  const records = read.records.map((record) =>
    record.alive === false && alive.has(record.worker.id) ? { ...record, alive: true } : record,
  );
  return { ...read, records };
}
