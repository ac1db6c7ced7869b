import { randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { namesIn, readTextIfExists, writeFileAtomic } from "../../common/files.ts";
import { type KernelLock, tryLock } from "../../common/kernel-lock.ts";
import { trainingSpecSchema } from "../training/spec.ts";
import type { Configuration } from "./configuration.ts";

/** The models that a client has last asked for, by name: `/train` and `/predict` name none. */
export interface Memory {
  configured?: string;
  setUp?: string;
}

/** Files that nobody is at any more: their process has died. */
const STALE_MS = 24 * 3600 * 1000;

/**
 * The engine's files, which all processes of a frontend share: configurations by model name, what each client has last asked for, logs,
 * files that were sent.
 */
export class Store {
  readonly #dir: string;

  private constructor(dir: string) {
    this.#dir = dir;
  }

  /** Opens the folder, and removes files that were sent to processes which have died. */
  static async open(dir: string): Promise<Store> {
    for (const folder of ["configurations", "clients", "log", "uploads"]) {
      await mkdir(join(dir, folder), { recursive: true, mode: 0o700 });
    }
    const uploads = join(dir, "uploads");
    for (const name of await namesIn(uploads)) {
      const found = await stat(join(uploads, name)).catch(() => undefined);
      if (found && Date.now() - found.mtimeMs > STALE_MS) await rm(join(uploads, name), { force: true });
    }
    return new Store(dir);
  }

  async configuration(name: string): Promise<Configuration | undefined> {
    const text = await readTextIfExists(join(this.#dir, "configurations", `${name}.json`));
    if (text === undefined) return undefined;
    const spec = trainingSpecSchema.parse(JSON.parse(text));
    if (spec.kind !== "plan-cost") throw new Error(`the configuration of ${name} is another kind of training's`);
    return { name, spec };
  }

  async configure({ name, spec }: Configuration): Promise<void> {
    await writeFileAtomic(join(this.#dir, "configurations", `${name}.json`), `${JSON.stringify(spec, null, 2)}\n`);
  }

  /** What a client has last configured, or set up. */
  recall(client: string, what: keyof Memory): Promise<string | undefined> {
    return readTextIfExists(join(this.#dir, "clients", `${client}.${what}`));
  }

  async remember(client: string, what: keyof Memory, name: string): Promise<void> {
    // a file for each: of two requests at once none undoes the other's
    await writeFileAtomic(join(this.#dir, "clients", `${client}.${what}`), name);
  }

  /** The right to train a model; undefined while another training of it, in whatever process, has it. */
  lockTraining(name: string): KernelLock | undefined {
    return tryLock(join(this.#dir, "configurations", `${name}.lock`));
  }

  /** Where a training writes; the name is the engine's, though it is no JSON. */
  logPath(name: string): string {
    return join(this.#dir, "log", `${name}_log.json`);
  }

  /** The log of a model's last training; undefined while there is none. */
  async log(name: string): Promise<string | undefined> {
    const text = await readFile(this.logPath(name), "utf8").catch(() => "");
    return text === "" ? undefined : text;
  }

  /** Writes what is sent to a file of its own. The caller removes it. */
  async keepUpload(content: Readable): Promise<{ path: string; remove: () => Promise<void> }> {
    const path = join(this.#dir, "uploads", `${randomUUID()}.csv`);
    const remove = () => rm(path, { force: true });
    try {
      await pipeline(content, createWriteStream(path, { mode: 0o600 }));
    } catch (error) {
      await remove();
      throw error;
    }
    return { path, remove };
  }
}
