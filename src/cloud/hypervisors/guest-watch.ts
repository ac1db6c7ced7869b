import type { Turns } from "../../common/turns.ts";

/** How often a host looks whether its guests still run. */
const intervalMs = 500;

export interface GuestWatchOptions {
  /** One operation per guest at a time, a look among them. */
  turns: Turns;
  isRunning: (id: string) => Promise<boolean>;
  /** Takes away what is left of a guest that does not run; its failure is told, and it is tried again at the next look. */
  cleanUp: (id: string) => Promise<void>;
}

/** Guests that should run: one that ended by itself is cleaned up, and whoever listens is told. */
export class GuestWatch {
  readonly #options: GuestWatchOptions;
  readonly #watched = new Set<string>();
  readonly #listeners: ((id: string) => void)[] = [];
  readonly #timer: NodeJS.Timeout;
  /** Guests that are being looked at: one may take long, whose turn is taken. */
  readonly #looking = new Set<string>();
  #closed = false;

  constructor(options: GuestWatchOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#look(), intervalMs);
    this.#timer.unref();
  }

  /** The guests that are watched. */
  get ids(): Iterable<string> {
    return this.#watched;
  }

  add(id: string): void {
    this.#watched.add(id);
  }

  delete(id: string): void {
    this.#watched.delete(id);
  }

  onExit(listener: (id: string) => void): void {
    this.#listeners.push(listener);
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
  }

  #look(): void {
    for (const id of this.#watched) {
      if (this.#looking.has(id)) continue;
      this.#looking.add(id);
      void this.#reportIfEnded(id)
        .catch((error: unknown) => console.error(`watching guest ${id}:`, error))
        .finally(() => this.#looking.delete(id));
    }
  }

  async #reportIfEnded(id: string): Promise<void> {
    const { turns, isRunning, cleanUp } = this.#options;
    if (await isRunning(id)) return; // a look takes nobody's turn
    const ended = await turns.run(id, async () => {
      if (this.#closed || !this.#watched.has(id) || (await isRunning(id))) return false;
      await cleanUp(id).catch((error: unknown) => {
        this.#watched.add(id); // looked at again: nobody has been told of its end
        throw error;
      });
      return true;
    });
    if (ended) for (const listener of this.#listeners) listener(id);
  }
}
