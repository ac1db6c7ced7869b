/** Work in turn: pieces with the same key run one after the other, in the order in which they came; others beside them. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs `work` once everything that came before it under this key has ended, well or not. */
  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const result = (this.#last.get(key) ?? Promise.resolve()).then(work).finally(() => {
      if (this.#last.get(key) === settled) this.#last.delete(key); // before the caller goes on
    });
    const settled = result.catch(() => undefined); // the caller gets the failure
    this.#last.set(key, settled);
    return result;
  }

  /** Whether work under this key is under way, or waits. */
  isTaken(key: string): boolean {
    return this.#last.has(key);
  }

  /** Resolves when nothing is being done. */
  async idle(): Promise<void> {
    while (this.#last.size > 0) await Promise.all(this.#last.values());
  }
}
