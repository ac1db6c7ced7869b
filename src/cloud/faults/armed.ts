import { createHash } from "node:crypto";
import { now } from "../clock/clock.ts";
import type { Collection, Store } from "../store/store.ts";
import { type Fault, keyOf } from "./fault.ts";

/** How many firings are remembered. */
const KEPT = 50;

/** A time that a fault struck. */
interface Firing {
  /** RFC 3339. */
  at: string;
  /** The request, or the server that was booted. */
  what: string;
}

/** A fault that waits for its occasion, or has had it. */
export interface ArmedFault {
  /** The fault's full name. */
  id: string;
  /** How often it may strike; null: until it is disarmed. */
  times: number | null;
  /** With a seed it strikes at about every second occasion: at the same ones for the same seed. */
  seed: string | null;
  delayMs: number;
  /** Occasions so far. */
  met: number;
  /** How often it has struck. */
  struck: number;
  /** The last times that it struck. */
  firings: Firing[];
}

/** How a fault is armed; what is absent is as its declaration says. */
export interface Arming {
  times?: number | undefined;
  seed?: string | undefined;
  delayMs?: number | undefined;
}

/** What is armed, in the cloud's state: it survives a restart, and ends when it is disarmed. */
export class ArmedFaults {
  readonly #table: Collection<ArmedFault>;

  constructor(store: Store) {
    this.#table = store.collection("fault");
  }

  /** Arms a fault anew, whatever it has done before. */
  arm(fault: Fault, { times, seed, delayMs }: Arming = {}): ArmedFault {
    return this.#table.put({
      id: keyOf(fault),
      times: times ?? fault.times ?? null,
      seed: seed ?? null,
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
  strike(fault: Fault, what: string): ArmedFault | undefined {
    const armed = this.findDue(fault);
    if (armed === undefined) return undefined;
    const met = armed.met + 1;
    if (!falls(armed.seed, met)) {
      this.#table.put({ ...armed, met });
      return undefined;
    }
    const firing = { at: new Date(now()).toISOString(), what };
    const firings = [...armed.firings, firing].slice(-KEPT);
    return this.#table.put({ ...armed, met, struck: armed.struck + 1, firings });
  }
}

/** A coin that falls the same way for the same seed and occasion. */
function falls(seed: string | null, occasion: number): boolean {
  if (seed === null) return true;
  return (createHash("sha256").update(`${seed} ${occasion}`).digest()[0] ?? 0) % 2 === 0;
}
