import type { Traffic } from "../../guest/release-terms.ts";
import type { ModelIdentity } from "../models/registry.ts";
import type { RuntimeLink } from "./link.ts";
import type { ServedModel } from "./question.ts";
import { isAskedAlike, trialProblem } from "./trials/fitness.ts";

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
  /** Where it is on trial; with a problem it gets none of the live version's requests. */
  trial?: Traffic & { problem?: string };
}

/** A version on trial beside one that is live. */
export interface TrialBeside {
  served: ServedModel;
  traffic: Traffic;
  /** Why it cannot be asked what the live version is asked. */
  problem: string | undefined;
}

/** What the connected runtimes serve, and where. A model keeps its {@link ServedModel} object for as long as it is known. */
export class Directory {
  readonly #entries = new Map<string, Entry>();
  #live = new Map<string, ServedModel>();
  #default: ServedModel | undefined;
  /** By the live version. */
  #trials = new Map<ServedModel, TrialBeside>();
  readonly #lastLive = new Map<string, ServedModel>();
  #lastDefault: ServedModel | undefined;
  /** What was live before, by the version that took its place. */
  readonly #before = new WeakMap<ServedModel, ServedModel>();

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
    const trials = new Map<ServedModel, Traffic>();
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
        if (trial) trials.set(entry.served, trial);
      }
    }
    for (const [entry, places] of before) {
      // a runtime that is there and does not have it any more was told to let it go: it will not come back by itself
      if (entry.places.length === 0 && places.some(({ link }) => link.connected)) entry.seen = UNLOADED;
    }
    this.#trials = this.#besides(trials);
    for (const [name, served] of this.#live) {
      const last = this.#lastLive.get(name);
      if (last !== undefined && last !== served) this.#before.set(served, last);
      this.#lastLive.set(name, served);
    }
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
        const live = this.#live.get(served.model.name);
        const trial = live && this.#trials.get(live);
        return {
          ...served,
          live: live === served,
          default: this.#default === served,
          ...(trial?.served === served && {
            trial: { ...trial.traffic, ...(trial.problem !== undefined && { problem: trial.problem }) },
          }),
        };
      });
  }

  /**
   * What can be asked in place of a version that fails, and answers alike: the version whose place the live one took, while it is in memory
   * still; for one that is live no more, the one that is.
   */
  standInFor(served: ServedModel): ServedModel | undefined {
    const live = this.#live.get(served.model.name);
    const other = live === served ? this.#before.get(served) : live;
    if (other === undefined || this.places(other).length === 0) return undefined;
    return isAskedAlike(served.card, other.card) ? other : undefined;
  }

  /** What is on trial beside a version that is live. */
  trialBeside(live: ServedModel): TrialBeside | undefined {
    return this.#trials.get(live);
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
    return isAskedAlike(served.card, live.card) ? live : undefined;
  }

  /** The trials that have a live version beside them. */
  #besides(trials: ReadonlyMap<ServedModel, Traffic>): Map<ServedModel, TrialBeside> {
    const besides = new Map<ServedModel, TrialBeside>();
    for (const [served, traffic] of trials) {
      const live = this.#live.get(served.model.name);
      if (live === undefined || live === served) continue;
      besides.set(live, { served, traffic, problem: trialProblem(live.card, served.card, traffic.mode) });
    }
    return besides;
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
