/** For so long after its last question a model counts as one that others must leave time to. */
const RECENT_MS = 1000;

/**
 * Who shares a runtime's thread. Models compute in turn, batch by batch; where more than one is asked, a batch of a heavy model must not
 * keep the others waiting, so it is cut to what it computes in {@link Shares.turnMicros}.
 */
export class Shares {
  /** A batch's time while others are asked. */
  readonly turnMicros: number;
  readonly #asked = new Map<object, number>();

  constructor(turnMs = 20) {
    this.turnMicros = turnMs * 1000;
  }

  /** Notes that somebody is asked. */
  touch(who: object): void {
    this.#asked.set(who, performance.now());
  }

  /** Whether others were asked a moment ago. */
  areOthersAsked(who: object): boolean {
    if (this.#asked.size < 2) return false;
    const since = performance.now() - RECENT_MS;
    for (const [other, at] of this.#asked) if (other !== who && at >= since) return true;
    return false;
  }

  leave(who: object): void {
    this.#asked.delete(who);
  }
}
