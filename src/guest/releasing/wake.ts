import { type FSWatcher, watch } from "node:fs";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { LOOK_FILE } from "../../serving/frontend/releases/look.ts";

/** Whoever asks again so soon waits for so long. */
const SHORTEST_PAUSE_MS = 100;

/** Ends pauses early where somebody left a sign that the agent shall look. Without a folder to watch, pauses are as long as they are. */
export class Wake {
  readonly #folders: readonly string[];
  readonly #watchers = new Map<string, FSWatcher>();
  #isWoken = false;
  #onWake: (() => void) | undefined;

  /** @param folders where the sign is left: the frontend's state folder, the spool of pushes */
  constructor(...folders: string[]) {
    this.#folders = folders;
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
    for (const folder of this.#watchers.keys()) this.#leave(folder);
  }

  /** Folders may come later than the agent, or be others after a while: then they are watched from the next pause on. */
  #follow(): void {
    for (const folder of this.#folders) {
      if (this.#watchers.has(folder)) continue;
      try {
        const watcher = watch(folder, { persistent: false }, (event, file) => {
          if (file === LOOK_FILE) {
            this.#isWoken = true;
            this.#onWake?.();
          } else if (event === "rename" && file === basename(folder)) {
            this.#leave(folder); // it was removed
          }
        }).on("error", () => this.#leave(folder));
        this.#watchers.set(folder, watcher);
      } catch {
        // there is no such folder yet
      }
    }
  }

  #leave(folder: string): void {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
  }
}
