import { appendFile, rename } from "node:fs/promises";
import { sizeOf } from "../common/files.ts";

/** Where the lines are that were written before the file was begun anew. */
export const earlierLog = (path: string) => `${path}.1`;

/** A file of lines that does not grow without end: full, it takes the place of the one before it, and a new one is begun. */
export class BoundedLog {
  readonly #path: string;
  readonly #limit: number;
  #size: number | undefined;
  #waiting = "";
  #writing: Promise<void> | undefined;

  /** @param limit bytes after which a new file is begun */
  constructor(path: string, limit = 8 * 1024 * 1024) {
    this.#path = path;
    this.#limit = limit;
  }

  /** Adds a line, behind the caller's back: what comes while lines are being written is written at once after them. */
  add(line: string): void {
    this.#waiting += `${line}\n`;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  /** Resolves when all lines are written. */
  async close(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#waiting !== "") {
      const text = this.#waiting;
      this.#waiting = "";
      try {
        this.#size ??= await sizeOf(this.#path);
        if (this.#size > this.#limit) {
          await rename(this.#path, earlierLog(this.#path));
          this.#size = 0;
        }
        await appendFile(this.#path, text, { mode: 0o600 });
        this.#size += Buffer.byteLength(text);
      } catch (error) {
        // a log that cannot be written (a full disk) stops nobody's request
        console.error(`${this.#path} lost ${text.split("\n").length - 1} lines:`, error);
        this.#size = undefined;
      }
    }
  }
}
