import { createHash, randomBytes } from "node:crypto";
import { now } from "../clock/clock.ts";
import type { Collection, Store } from "../store/store.ts";
import { type Fault, keyOf } from "./fault.ts";

/** How many firings are remembered: what is older cannot be replayed. */
const KEPT = 1000;

/** A time that a fault struck. */
interface Firing {
  /** RFC 3339. */
  at: string;
  /** The request, or the server that was booted. */
  what: string;
  /** Which of the occasions it was, from 1. */
  occasion: number;
}

/** A fault that waits for its occasion, or has had it. */
export interface ArmedFault {
  /** The fault's full name. */
  id: string;
  /** How often it may strike; null: until it is disarmed. */
  times: number | null;
  /** What chooses the occasions where it does not strike at each: the same ones for the same seed. */
  seed: string | null;
  /** How likely it strikes at an occasion, 0 to 1. */
  probability: number;
  /** What an occasion has to be about, see {@link Occasion}; null: any. */
  target: string | null;
  /** The only occasions that it strikes at, by their numbers; null: as seed and probability choose. */
  only: number[] | null;
  delayMs: number;
  /** Occasions so far: those that are about the target. */
  met: number;
  /** How often it has struck. */
  struck: number;
  /** The last times that it struck. */
  firings: Firing[];
}

/** How a fault is armed; what is absent is as its declaration says. */
export interface Arming {
  times?: number | undefined;
  /** Alone it means a probability of a half. */
  seed?: string | undefined;
  probability?: number | undefined;
  target?: string | undefined;
  only?: number[] | undefined;
  delayMs?: number | undefined;
}

/** A moment at which a fault may strike. */
export interface Occasion {
  /** As it is noted. */
  what: string;
  /** What targets are looked for in: a request's method, address and body; a server's id and name. */
  about: string;
}

/** What a record of faults says of each, so that it can be armed to do the same again. */
export interface RecordedFault extends Pick<ArmedFault, "id" | "delayMs" | "target"> {
  /** The numbers of the occasions at which it struck. */
  only: number[];
}

/** What is armed, in the cloud's state: it survives a restart, and ends when it is disarmed. */
export class ArmedFaults {
  readonly #table: Collection<ArmedFault>;

  constructor(store: Store) {
    this.#table = store.collection("fault");
  }

  /** Arms a fault anew, whatever it has done before. */
  arm(fault: Fault, { times, seed, probability, target, only, delayMs }: Arming = {}): ArmedFault {
    const chance = probability ?? (seed === undefined ? 1 : 0.5);
    return this.#table.put({
      id: keyOf(fault),
      times: only?.length ?? times ?? fault.times ?? null,
      // one that nobody chose is kept as well: what happened can be had again
      seed: seed ?? (chance < 1 ? randomBytes(6).toString("hex") : null),
      probability: chance,
      target: target ?? null,
      only: only ?? null,
      delayMs: delayMs ?? fault.delayMs ?? 0,
      met: 0,
      struck: 0,
      firings: [],
    });
  }

  disarm(fault: Fault): void {
    this.#table.delete(keyOf(fault));
  }

  find(fault: Fault): ArmedFault | undefined {
    return this.#table.get(keyOf(fault));
  }

  /** The armed fault while it has strikes left. */
  findDue(fault: Fault): ArmedFault | undefined {
    const armed = this.find(fault);
    return armed !== undefined && armed.struck !== armed.times ? armed : undefined;
  }

  /** An occasion for a fault: when it strikes, that is noted and the armed fault returned. */
  strike(fault: Fault, { what, about }: Occasion): ArmedFault | undefined {
    const armed = this.findDue(fault);
    if (armed === undefined || (armed.target !== null && !about.includes(armed.target))) return undefined;
    const met = armed.met + 1;
    if (!falls(armed, met)) {
      this.#table.put({ ...armed, met });
      return undefined;
    }
    const firing = { at: new Date(now()).toISOString(), what, occasion: met };
    const firings = [...armed.firings, firing].slice(-KEPT);
    return this.#table.put({ ...armed, met, struck: armed.struck + 1, firings });
  }
}

/** Whether the fault strikes at an occasion; the same for the same seed. */
function falls({ seed, probability, only }: ArmedFault, occasion: number): boolean {
  if (only !== null) return only.includes(occasion);
  if (seed === null) return probability > 0;
  const drawn = createHash("sha256").update(`${seed} ${occasion}`).digest().readUInt32BE(0) / 2 ** 32;
  return drawn < probability;
}
