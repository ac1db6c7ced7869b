/** Work that takes turns: so much at a time, so much waits, in the order in which it came. */
export class Turns {
  readonly #atATime: number;
  readonly #mostWaiting: number;
  readonly #waiting: (() => void)[] = [];
  #busy = 0;

  constructor(atATime: number, mostWaiting: number) {
    this.#atATime = atATime;
    this.#mostWaiting = mostWaiting;
  }

  /** Does the work when its turn comes; undefined, at once, where too much waits. */
  async take<T>(work: () => Promise<T>): Promise<{ done: T } | undefined> {
    if (this.#busy >= this.#atATime) {
      if (this.#waiting.length >= this.#mostWaiting) return undefined;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#busy++;
    try {
      return { done: await work() };
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#busy--;
    }
  }
}
