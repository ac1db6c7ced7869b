import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SlipwayError } from "../common/errors.ts";
import { readTextIfExists, writeFileAtomic } from "../common/files.ts";
import { type KernelLock, tryLock } from "../common/kernel-lock.ts";
import { describeHolder, type Holder, holderIn, newHolder } from "./lock-holder.ts";
import {
  BEAT_MS,
  beatSharedLock,
  type FoundLock,
  holdsSharedLock,
  type LockPlace,
  lockedBy,
  releaseSharedLock,
  trySharedLock,
} from "./shared-lock.ts";

const LOCK = "operation.lock";
const NOTE = "operation.json";
const LOOK_MS = 250;

/** How long a lock that somebody has is waited for. */
export interface LockPatience {
  /** 0 unless told otherwise. */
  waitMs?: number | undefined;
  signal?: AbortSignal | undefined;
  /** Told once who is waited for. */
  onWait?: (who: string) => void;
}

/** A stack's lock, held. */
export interface StackLock {
  /**
   * Holds the stack for other machines too, by a note in its store, to the end of the work.
   * @throws SlipwayError E_LOCKED naming the holder
   */
  share(place: LockPlace): Promise<void>;
  /** Before a step that must not be another's: whether nobody has broken the lock. Throws SlipwayError E_LOCKED. */
  requireHeld(): Promise<void>;
}

/**
 * Runs `work` as the only operation on a stack. The engine has a lock of its own, on the state; this one spans the whole verb:
 * publication, update, gate and the floating IP. On this machine it ends with its process, however that ends; in the store it is dead
 * when nothing was heard of its holder for half a minute.
 * @param folder the stack's home
 * @throws SlipwayError E_LOCKED naming the holder
 */
export async function withStackLock<T>(
  folder: string,
  command: string,
  work: (lock: StackLock) => Promise<T>,
  patience: LockPatience = {},
): Promise<T> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const noteFile = join(folder, NOTE);
  const waiting = new Waiting(patience);
  const kernel = await waiting.until<KernelLock>(async () => {
    const got = tryLock(join(folder, LOCK));
    return got === undefined ? { anothers: { holder: holderIn(await readTextIfExists(noteFile)) } } : { got };
  });
  const held = new HeldLock(kernel, newHolder(command), noteFile, waiting);
  try {
    await held.begin();
    return await work(held);
  } finally {
    await held.end();
  }
}

/** Who works on a stack on this machine, or did last; undefined where nobody ever did. */
export async function localHolder(folder: string): Promise<{ holder: Holder; holds: boolean } | undefined> {
  const holder = holderIn(await readTextIfExists(join(folder, NOTE)));
  if (holder === undefined) return undefined;
  const lock = tryLock(join(folder, LOCK));
  lock?.release();
  return { holder, holds: lock === undefined };
}

class HeldLock implements StackLock {
  readonly #kernel: KernelLock;
  readonly #holder: Holder;
  readonly #noteFile: string;
  readonly #waiting: Waiting;
  #replaced: string | undefined;
  #place: LockPlace | undefined;
  #beating: NodeJS.Timeout | undefined;
  #beat: Promise<void> = Promise.resolve();

  constructor(kernel: KernelLock, holder: Holder, noteFile: string, waiting: Waiting) {
    this.#kernel = kernel;
    this.#holder = holder;
    this.#noteFile = noteFile;
    this.#waiting = waiting;
  }

  async begin(): Promise<void> {
    // whoever wrote this note is over: the kernel gave its lock to us
    this.#replaced = holderIn(await readTextIfExists(this.#noteFile))?.id;
    await this.#note();
    this.#beating = setInterval(() => {
      this.#beat = this.#beat.then(() => this.#tell());
    }, BEAT_MS).unref();
  }

  async share(place: LockPlace): Promise<void> {
    this.#place = await this.#waiting.until(async () => {
      const anothers = await trySharedLock(place, this.#holder, this.#replaced);
      return anothers === undefined ? { got: place } : { anothers };
    });
  }

  async requireHeld(): Promise<void> {
    if (this.#place === undefined || (await holdsSharedLock(this.#place, this.#holder))) return;
    throw new SlipwayError("E_LOCKED", "somebody has broken this command's lock on the stack", {
      hint: "Find out who with `slipway lock status`, and run the command again.",
    });
  }

  async end(): Promise<void> {
    clearInterval(this.#beating);
    await this.#beat;
    // a store that does not answer must not hide how the work ended: what stays in it is dead in half a minute
    if (this.#place !== undefined) await releaseSharedLock(this.#place, this.#holder).catch(() => undefined);
    this.#kernel.release();
  }

  async #tell(): Promise<void> {
    await this.#note().catch(() => undefined);
    if (this.#place !== undefined) await beatSharedLock(this.#place, this.#holder).catch(() => undefined);
  }

  async #note(): Promise<void> {
    await writeFileAtomic(this.#noteFile, JSON.stringify({ ...this.#holder, beat: new Date().toISOString() }));
  }
}

/** What one try to take a lock came to. */
type Attempt<T> = { got: T } | { anothers: Partial<FoundLock> };

/** Waits for what others hold, all in all no longer than the patience is. */
class Waiting {
  readonly #patience: LockPatience;
  readonly #deadline: number;
  #told = false;

  constructor(patience: LockPatience) {
    this.#patience = patience;
    this.#deadline = performance.now() + (patience.waitMs ?? 0);
  }

  /** What `attempt` gets in place of a lock that is another's. Throws SlipwayError E_LOCKED when the patience is over. */
  async until<T>(attempt: () => Promise<Attempt<T>>): Promise<T> {
    const { signal, onWait } = this.#patience;
    for (;;) {
      const found = await attempt();
      if ("got" in found) return found.got;
      const { holder } = found.anothers;
      if (performance.now() + LOOK_MS > this.#deadline) throw lockedBy(found.anothers);
      if (!this.#told) onWait?.(holder === undefined ? "another process" : describeHolder(holder));
      this.#told = true;
      await sleep(LOOK_MS, undefined, { signal });
    }
  }
}
