import { Breaker } from "./breaker.ts";
import type { WorkerCaller } from "./call.ts";
import { leastLoaded } from "./choice.ts";
import type { HttpWorker, WorkerHealth, WorkerRecord } from "./registration.ts";
import type { WorkersSettings } from "./settings.ts";
import { type Verdict, verdictOf, verdictOfError, type WorkerFailure } from "./verdict.ts";

/** Why external workers gave no answer. */
export type PoolFailure =
  /** None is there that could be asked now. */
  | "none"
  /** What was asked is wrong; see the status. */
  | "refused"
  /** All that can be asked have too much to do. */
  | "busy"
  | WorkerFailure;

export class PoolError extends Error {
  override readonly name = "PoolError";
  readonly reason: PoolFailure;
  /** The worker's own, where it refused. */
  readonly status: number | undefined;
  /** Seconds after which asking again makes sense. */
  readonly retryAfter: number | undefined;
  /** Whether asking again may have the worker do twice what it is to do once. */
  readonly mayHaveRun: boolean;

  constructor(
    reason: PoolFailure,
    message: string,
    more: { status?: number; retryAfter?: number; mayHaveRun?: boolean } = {},
  ) {
    super(message);
    this.mayHaveRun = more.mayHaveRun ?? false;
    this.reason = reason;
    this.status = more.status;
    this.retryAfter = more.retryAfter;
  }
}

/** What became of one request, once: by the worker that decided it, "none" where none could be asked. */
export interface Outcome {
  model: string;
  worker: string;
  ok: boolean;
  milliseconds: number;
}

export interface PoolOptions {
  settings: Pick<
    WorkersSettings,
    | "deadlineMs"
    | "connectMs"
    | "attempts"
    | "inFlight"
    | "answerBytes"
    | "failures"
    | "firstPauseMs"
    | "longestPauseMs"
  >;
  caller: Pick<WorkerCaller, "call">;
  onOutcome?: (outcome: Outcome) => void;
  /** A worker was given up on for a request that another one, or nobody, then answers. */
  onFailover?: (model: string, worker: string, failure: string) => void;
}

/** A worker as this process sees it. */
export interface PooledWorker {
  worker: HttpWorker;
  draining: boolean;
  /** False once the heartbeat of one that registered itself has ended. */
  alive: boolean;
  health: WorkerHealth | undefined;
  breaker: Breaker;
  inFlight: number;
  /** Why the last attempt that counts against it failed. */
  lastFailure: string | undefined;
}

/** An answer's JSON text, and whose it is. */
export interface PoolAnswer {
  json: string;
  worker: string;
}

/**
 * Has external workers answer. The one is asked that has the least under way for its weight, among those that are there, pass their
 * probes and did not fail lately. Another one is asked when it fails, if it is known that nothing was computed or computing twice does no
 * harm; each at most once, and no more than so many for one request.
 */
export class WorkerPool {
  readonly #options: PoolOptions;
  #workers = new Map<string, PooledWorker>();
  #turn = 0;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** Takes over what the registry knows. What is under way at a worker that left is still answered. */
  update(records: readonly WorkerRecord[]): void {
    const workers = new Map<string, PooledWorker>();
    for (const { worker, draining, alive = true, health } of records) {
      if (worker.kind !== "http") continue;
      const known = this.#workers.get(worker.id);
      const pooled = known ?? {
        breaker: new Breaker(this.#options.settings),
        inFlight: 0,
        lastFailure: undefined,
        worker,
        draining,
        alive,
        health,
      };
      // a probe that passes again says that it is back, whatever requests said before
      if (known?.health?.state === "failing" && health?.state === "passing") known.breaker.succeed();
      workers.set(worker.id, Object.assign(pooled, { worker, draining, alive, health }));
    }
    this.#workers = workers;
  }

  get workers(): readonly PooledWorker[] {
    return [...this.#workers.values()];
  }

  find(id: string): PooledWorker | undefined {
    return this.#workers.get(id);
  }

  /** Whether some worker is registered for the model, be it able to answer or not. */
  knows(model: string): boolean {
    return this.workers.some(({ worker }) => worker.models.includes(model));
  }

  /** Why a worker is not asked now; undefined for one that is. */
  obstacleOf({ draining, alive, health, breaker, inFlight, lastFailure }: PooledWorker): string | undefined {
    if (draining) return "is draining";
    if (!alive) return "has stopped its heartbeat";
    if (health?.state === "failing") return `fails its probe: ${health.reason ?? "no reason"}`;
    if (!breaker.allows(performance.now())) return `failed: ${lastFailure ?? "no reason"}`;
    if (inFlight >= this.#options.settings.inFlight) return `has ${inFlight} requests under way`;
    return undefined;
  }

  /** A model's answer to named arguments as JSON. Rejects with {@link PoolError}; with nothing that counts when the caller went away. */
  async ask(model: string, body: Buffer, signal?: AbortSignal): Promise<PoolAnswer> {
    const { settings, onOutcome, onFailover } = this.#options;
    const started = performance.now();
    const deadline = started + settings.deadlineMs;
    /** Why those that were asked did not answer. */
    const tried = new Map<string, string>();
    const doubtful: PooledWorker[] = [];
    let last: { pooled: PooledWorker; verdict: Verdict } | undefined;
    let asked = 0;
    let losses = 0;
    const tell = (ok: boolean, worker = last?.pooled.worker.id ?? "none") =>
      onOutcome?.({ model, worker, ok, milliseconds: performance.now() - started });

    while (asked < settings.attempts) {
      const [pooled, others] = this.#next(model, tried);
      const leftMs = deadline - performance.now();
      if (!pooled || leftMs <= 0) break;
      const hasNext = others && pooled.worker.pure && asked + 1 < settings.attempts;
      const verdict = await this.#attempt(pooled, model, body, hasNext ? leftMs / 2 : leftMs, signal);
      // what a worker said outweighs that another one could not be asked after it
      if (!last || hasRun(verdict) || !hasRun(last.verdict)) last = { pooled, verdict };
      if (verdict.kind === "answered") {
        // what another one answers was no fault of the request
        for (const suspect of doubtful) this.#charge(suspect, suspect.lastFailure ?? "");
        tell(true);
        return { json: verdict.json, worker: pooled.worker.id };
      }
      if (verdict.kind === "refused" || verdict.kind === "cancelled") break;
      onFailover?.(model, pooled.worker.id, verdict.kind === "busy" ? "busy" : verdict.failure);
      tried.set(pooled.worker.id, verdict.message);
      // a worker that cannot be reached costs next to nothing: only those that were asked count
      if (verdict.kind === "busy" || verdict.ran) asked++;
      if (verdict.kind === "busy") continue;
      pooled.lastFailure = verdict.message;
      if (verdict.kind === "doubtful") doubtful.push(pooled);
      if (verdict.ran && !pooled.worker.pure) break;
      // a request over which workers end must come to an end itself
      if (verdict.kind === "lost" && verdict.ran && ++losses === MOST_LOSSES) break;
    }
    tell(false);
    throw this.#errorOf(model, last, tried);
  }

  /** The next worker to ask, and whether there is one after it. */
  #next(model: string, tried: ReadonlyMap<string, string>): [PooledWorker | undefined, boolean] {
    const able = this.workers.filter(
      (pooled) =>
        pooled.worker.models.includes(model) && !tried.has(pooled.worker.id) && this.obstacleOf(pooled) === undefined,
    );
    const load = ({ inFlight, worker }: PooledWorker) => (inFlight + 1) / worker.weight;
    return [leastLoaded(able, load, this.#turn++), able.length > 1];
  }

  async #attempt(
    pooled: PooledWorker,
    model: string,
    body: Buffer,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Verdict> {
    const { connectMs, answerBytes } = this.#options.settings;
    pooled.inFlight++;
    pooled.breaker.begin(performance.now());
    let verdict: Verdict;
    try {
      const path = `/${encodeURIComponent(model)}`;
      const call = {
        method: "POST",
        path,
        body,
        timeoutMs,
        connectMs,
        answerBytes,
        ...(signal && { signal }),
      } as const;
      verdict = verdictOf(await this.#options.caller.call(pooled.worker, call));
    } catch (error) {
      verdict = verdictOfError(error);
    } finally {
      pooled.inFlight--;
    }
    if (verdict.kind === "answered" || verdict.kind === "refused" || verdict.kind === "busy") pooled.breaker.succeed();
    else if (verdict.kind === "lost") this.#charge(pooled, verdict.message);
    else pooled.breaker.abstain();
    return verdict;
  }

  #charge(pooled: PooledWorker, reason: string): void {
    pooled.lastFailure = reason;
    pooled.breaker.fail(performance.now());
  }

  #errorOf(
    model: string,
    last: { pooled: PooledWorker; verdict: Verdict } | undefined,
    tried: ReadonlyMap<string, string>,
  ): PoolError {
    if (!last) return this.#noneOf(model, tried);
    const { pooled, verdict } = last;
    const { id, pure } = pooled.worker;
    switch (verdict.kind) {
      case "answered":
      case "cancelled":
        return new PoolError("broken", "the caller went away");
      case "refused":
        return new PoolError("refused", verdict.message, { status: verdict.status });
      case "busy":
        return new PoolError("busy", `${id}: ${verdict.message}`, { retryAfter: verdict.retryAfter ?? 1 });
      default: {
        if (verdict.failure === "unreachable") return this.#noneOf(model, tried);
        const again = verdict.kind === "lost" && (pure || !verdict.ran) ? { retryAfter: 1 } : {};
        const mayHaveRun = verdict.ran && !pure;
        return new PoolError(verdict.failure, `${id}: ${verdict.message}`, { ...again, mayHaveRun });
      }
    }
  }

  /** Why nobody can be asked, worker by worker, and when that may have changed. */
  #noneOf(model: string, tried: ReadonlyMap<string, string>): PoolError {
    const now = performance.now();
    const known = this.workers.filter(({ worker }) => worker.models.includes(model));
    const reasons = known.slice(0, 10).map((pooled) => {
      const { id } = pooled.worker;
      return `${id} ${this.obstacleOf(pooled) ?? `failed: ${tried.get(id) ?? "a moment ago"}`}`;
    });
    if (known.length > 10) reasons.push(`${known.length - 10} more`);
    const waits = known.map(({ breaker }) => Math.max(0, breaker.until - now)).filter((wait) => wait > 0);
    const retryAfter = Math.max(1, Math.ceil(Math.min(5000, ...waits) / 1000));
    const full = known.some((pooled) => !pooled.draining && pooled.inFlight >= this.#options.settings.inFlight);
    return new PoolError(
      full ? "busy" : "none",
      `no worker of ${model} can be asked: ${reasons.join("; ") || "there is none"}`,
      {
        retryAfter,
      },
    );
  }
}

function hasRun(verdict: Verdict): boolean {
  return verdict.kind === "lost" || verdict.kind === "doubtful" ? verdict.ran : verdict.kind !== "busy";
}

/** A request over which so many workers' connections broke is not asked of a further one. */
const MOST_LOSSES = 2;
