import { isDeepStrictEqual } from "node:util";
import type { Traffic } from "../../guest/release-terms.ts";
import type { ModelIdentity } from "../models/registry.ts";
import type { RuntimeLink } from "./link.ts";
import type { ServedModel } from "./question.ts";

/** Where a model can be asked. */
export interface Place {
  link: RuntimeLink;
  slot: number;
  /** Rows that the runtime computes in one call. */
  batchRows: number;
}

interface Entry {
  served: ServedModel;
  places: Place[];
  /** In `performance.now()`'s milliseconds. */
  seen: number;
}

/** A model as it is listed. */
export interface ListedModel extends ServedModel {
  live: boolean;
  default: boolean;
  /** Where it is on trial. */
  trial?: Traffic;
}

/** What the connected runtimes serve, and where. A model keeps its {@link ServedModel} object for as long as it is known. */
export class Directory {
  readonly #entries = new Map<string, Entry>();
  #live = new Map<string, ServedModel>();
  #default: ServedModel | undefined;
  #trials = new Map<ServedModel, Traffic>();
  readonly #lastLive = new Map<string, ServedModel>();
  #lastDefault: ServedModel | undefined;

  /** Reads anew what the links' runtimes serve. Where two disagree on which version is live, the first one counts. */
  update(links: readonly RuntimeLink[]): void {
    const now = performance.now();
    const before = new Map<Entry, readonly Place[]>();
    for (const entry of this.#entries.values()) {
      if (entry.places.length > 0) entry.seen = now;
      before.set(entry, entry.places);
      entry.places = [];
    }
    this.#live = new Map();
    this.#default = undefined;
    this.#trials = new Map();
    for (const link of links) {
      const { connected } = link;
      if (!connected) continue;
      const { onnxruntime } = connected.hello;
      for (const {
        slot,
        model,
        card,
        live,
        default: standard,
        trial,
        batchRows = connected.hello.batchRows,
      } of connected.models) {
        const entry = this.#entryOf({ model, card, onnxruntime });
        entry.places.push({ link, slot, batchRows });
        entry.seen = now;
        if (live && !this.#live.has(model.name)) this.#live.set(model.name, entry.served);
        if (standard) this.#default ??= entry.served;
        if (trial) this.#trials.set(entry.served, trial);
      }
    }
    for (const [entry, places] of before) {
      // a runtime that is there and does not have it any more was told to let it go: it will not come back by itself
      if (entry.places.length === 0 && places.some(({ link }) => link.connected)) entry.seen = UNLOADED;
    }
    for (const [name, served] of this.#live) this.#lastLive.set(name, served);
    this.#lastDefault = this.#default ?? this.#lastDefault;
    this.#forget(now);
  }

  find(name?: string, version?: string): ServedModel | undefined {
    if (version === undefined) return name === undefined ? this.#default : this.#live.get(name);
    return [...this.#entries.values()].find(
      ({ served: { model }, places }) => places.length > 0 && model.name === name && model.version === version,
    )?.served;
  }

  findLast(name?: string): ServedModel | undefined {
    return name === undefined ? this.#lastDefault : this.#lastLive.get(name);
  }

  get models(): ListedModel[] {
    return [...this.#entries.values()]
      .filter(({ places }) => places.length > 0)
      .map(({ served }) => {
        const trial = this.#trials.get(served);
        return {
          ...served,
          live: this.#live.get(served.model.name) === served,
          default: this.#default === served,
          ...(trial && { trial }),
        };
      });
  }

  places({ model }: ServedModel): readonly Place[] {
    return this.#entries.get(keyOf(model))?.places ?? [];
  }

  /** Whether some runtime had the model so many milliseconds ago, or has it now. */
  seenWithin({ model }: ServedModel, ms: number): boolean {
    const entry = this.#entries.get(keyOf(model));
    return entry !== undefined && (entry.places.length > 0 || performance.now() - entry.seen <= ms);
  }

  /**
   * What answers questions to this model now: itself while some runtime has it or none has another, else the version that is live in
   * its place. Undefined when that takes or answers something else.
   */
  successor(served: ServedModel): ServedModel | undefined {
    if (this.places(served).length > 0) return served;
    const live = this.#live.get(served.model.name);
    if (live === undefined) return served;
    const { inputs, outputs, batching } = served.card;
    const isAlike = isDeepStrictEqual(
      [inputs, outputs, batching],
      [live.card.inputs, live.card.outputs, live.card.batching],
    );
    return isAlike ? live : undefined;
  }

  #entryOf(served: ServedModel): Entry {
    const key = keyOf(served.model);
    const known = this.#entries.get(key);
    if (known) return known;
    const entry: Entry = { served, places: [], seen: 0 };
    this.#entries.set(key, entry);
    return entry;
  }

  #forget(now: number): void {
    for (const [key, { places, seen }] of this.#entries) {
      if (places.length === 0 && now - seen > FORGET_MS) this.#entries.delete(key);
    }
  }
}

const UNLOADED = Number.NEGATIVE_INFINITY;
/** Longer than any question waits. */
const FORGET_MS = 600_000;

function keyOf({ name, version, digest }: ModelIdentity): string {
  return `${name}\n${version}\n${digest}`;
}
