import { type FSWatcher, watch } from "node:fs";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { LOOK_FILE } from "../../serving/frontend/releases/look.ts";

/** Whoever asks again so soon waits for so long. */
const SHORTEST_PAUSE_MS = 100;

/** Ends pauses early where the frontend was asked to wake the agent. Without a folder to watch, pauses are as long as they are. */
export class Wake {
  readonly #folder: string;
  #watcher: FSWatcher | undefined;
  #isWoken = false;
  #onWake: (() => void) | undefined;

  /** @param folder the frontend's state folder */
  constructor(folder: string) {
    this.#folder = folder;
    this.#follow();
  }

  /** Lasts so many milliseconds at most; less where somebody asks, or has asked since the last one. */
  async pause(ms: number): Promise<void> {
    this.#follow();
    if (this.#isWoken) {
      await sleep(Math.min(ms, SHORTEST_PAUSE_MS));
    } else {
      const woken = Promise.withResolvers<void>();
      this.#onWake = woken.resolve;
      const timer = setTimeout(woken.resolve, ms);
      await woken.promise;
      clearTimeout(timer);
    }
    this.#isWoken = false;
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  /** The folder may come later than the agent, or be another one after a while: then it is watched from the next pause on. */
  #follow(): void {
    if (this.#watcher) return;
    try {
      this.#watcher = watch(this.#folder, { persistent: false }, (event, file) => {
        if (file === LOOK_FILE) {
          this.#isWoken = true;
          this.#onWake?.();
        } else if (event === "rename" && file === basename(this.#folder)) {
          this.close(); // it was removed
        }
      }).on("error", () => this.close());
    } catch {
      // there is no such folder yet
    }
  }
}
