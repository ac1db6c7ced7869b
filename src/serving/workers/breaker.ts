/** When a circuit opens, and for how long. */
export interface BreakerOptions {
  /** Failures in a row that open it. */
  failures: number;
  firstPauseMs: number;
  /** Each further opening in a row lasts twice as long as the one before, up to this. */
  longestPauseMs: number;
}

/**
 * Keeps requests from a worker that fails. `closed`: all go there. `open`: none, for a while. `half-open`: one, by which it is decided.
 * Times are the caller's: milliseconds of any clock that does not go back.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  #failures = 0;
  #pauseMs = 0;
  #until = 0;
  #trying = false;

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  state(now: number): "closed" | "open" | "half-open" {
    if (this.#pauseMs === 0) return "closed";
    return now < this.#until ? "open" : "half-open";
  }

  /** Whether a request may go there now. */
  allows(now: number): boolean {
    const state = this.state(now);
    return state === "closed" || (state === "half-open" && !this.#trying);
  }

  /** When a request may go there again, where none may now. */
  get until(): number {
    return this.#until;
  }

  /** A request goes there. One of `succeed`, `fail` and `abstain` must follow. */
  begin(now: number): void {
    if (this.state(now) === "half-open") this.#trying = true;
  }

  succeed(): void {
    this.#failures = 0;
    this.#pauseMs = 0;
    this.#trying = false;
  }

  fail(now: number): void {
    const wasTrial = this.state(now) === "half-open";
    this.#trying = false;
    this.#failures++;
    if (!wasTrial && this.#failures < this.#options.failures) return;
    if (this.state(now) === "open") return; // requests that were under way when it opened
    const { firstPauseMs, longestPauseMs } = this.#options;
    this.#pauseMs = this.#pauseMs === 0 ? firstPauseMs : Math.min(this.#pauseMs * 2, longestPauseMs);
    this.#until = now + this.#pauseMs;
  }

  /** The request says nothing of the worker: its caller went away, or what it asked for may be at fault. */
  abstain(): void {
    this.#trying = false;
  }
}
