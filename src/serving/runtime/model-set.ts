import type { Logger } from "pino";
import { messageOf, SlipwayError } from "../../common/errors.ts";
import { isSameModel, type LoadedVersion } from "../models/registry.ts";
import type { ServableModel } from "../models/verify.ts";
import { Batcher, type BatchLimits } from "./batcher.ts";
import type { RuntimeModel, SyncResult } from "./hello.ts";
import { Shares } from "./shares.ts";

/** A model in a runtime's memory. */
interface Slot extends RuntimeModel {
  loaded: ServableModel;
  batcher: Batcher;
}

/** How a set gets at its models. */
export interface ModelSetOptions {
  /** Loads a version so that it can serve at once. */
  load: (version: LoadedVersion) => Promise<ServableModel>;
  /** Of a model by this name. */
  limits: (model: string) => BatchLimits;
  log: Logger;
}

/** After a model left the set: frames may be under way from who has not heard of it yet. */
const GRACE_MS = 2000;

/**
 * The models that a runtime serves, each in a slot. A version that is exchanged serves on until the new one can; frames that were sent
 * to it before its peers heard of the change are still answered.
 */
export class ModelSet {
  readonly #options: ModelSetOptions;
  readonly #shares = new Shares();
  readonly #slots = new Map<number, Slot>();
  #served: Slot[] = [];
  #nextSlot = 1;
  #syncing: Promise<unknown> = Promise.resolve();

  constructor(options: ModelSetOptions) {
    this.#options = options;
  }

  /** What is served, as peers are told. */
  get models(): RuntimeModel[] {
    return this.#served.map(({ slot, model, card, live, default: standard, trial, batchRows }) => ({
      slot,
      model,
      card,
      ...(batchRows !== undefined && { batchRows }),
      live,
      default: standard,
      ...(trial && { trial }),
    }));
  }

  /** The model in a slot. */
  find(slot: number): Pick<Slot, "model" | "card" | "live" | "batcher"> | undefined {
    return this.#slots.get(slot);
  }

  /** What computes, and ONNX Runtime's version, as the first network says, or a function where there is none; undefined in an empty set. */
  get engine(): Pick<ServableModel, "provider" | "note" | "runtimeVersion"> | undefined {
    const network = this.#served.find(({ card }) => card.platform === "onnx");
    return (network ?? this.#served[0])?.loaded;
  }

  /**
   * Serves these versions and no others. What can not be loaded is told, and then what was served in its place goes on serving.
   * Of two calls at once the second begins when the first has ended.
   */
  sync(wanted: LoadedVersion[]): Promise<SyncResult> {
    const result = this.#syncing.then(() => this.#sync(wanted));
    this.#syncing = result.catch(() => undefined);
    return result;
  }

  /** Resolves when everything that was asked is answered. */
  async drain(): Promise<void> {
    await Promise.all([...this.#slots.values()].map(({ batcher }) => batcher.drain()));
  }

  async #sync(wanted: LoadedVersion[]): Promise<SyncResult> {
    const failed: SyncResult["failed"] = [];
    const served: Slot[] = [];
    for (const version of wanted) {
      const known = this.#served.find(({ model }) => isSameModel(model, version));
      if (known) {
        served.push(Object.assign(known, { live: version.live, default: version.default, trial: version.trial }));
        continue;
      }
      try {
        served.push(await this.#load(version));
      } catch (error) {
        const code = error instanceof SlipwayError ? error.code : ("E_BUG" as const);
        failed.push({ name: version.name, version: version.version, message: messageOf(error), code });
        const old = version.live && this.#served.find(({ model, live }) => live && model.name === version.name);
        if (old && !served.includes(old)) served.push(old);
      }
    }
    const left = this.#served.filter((slot) => !served.includes(slot));
    this.#served = served;
    for (const slot of left) setTimeout(() => void this.#letGo(slot), GRACE_MS).unref();
    return { failed };
  }

  async #load(version: LoadedVersion): Promise<Slot> {
    const { live, default: standard, trial, ...model } = version;
    const loaded = await this.#options.load(version);
    const { card } = loaded;
    const limits = this.#options.limits(version.name);
    const slot: Slot = {
      slot: this.#nextSlot++,
      model,
      card,
      live,
      default: standard,
      ...(trial && { trial }),
      loaded,
      batchRows: limits.batchRows,
      batcher: new Batcher(loaded.run, limits, {
        joins: card.batching,
        parallel: card.function?.concurrency ?? 1,
        shares: this.#shares,
      }),
    };
    this.#slots.set(slot.slot, slot);
    return slot;
  }

  async #letGo({ slot, batcher, loaded, model }: Slot): Promise<void> {
    this.#slots.delete(slot);
    batcher.leave();
    await batcher.drain();
    await loaded.close();
    this.#options.log.info({ model }, "model let go");
  }
}
