import { randomBytes } from "node:crypto";
import type { Meter, Reading } from "../../metrics/meter.ts";
import { Totals, together } from "../../metrics/totals.ts";
import { Hits } from "./hits.ts";

/** What a frontend's processes have in common. */
export interface Hub {
  /** Seals the sessions of browsers. */
  sessionKey(): Promise<Uint8Array>;
  /** The figures of all processes, up to this moment: counters and histograms added up, gauges as they are. */
  figures(): Promise<Reading[]>;
  /** Counts a request of this caller; how many there were within the window, and how long it lasts still (ms). */
  hit(key: string, windowMs: number): Promise<{ current: number; ttl: number }>;
}

/** The hub of a frontend of one process. */
export function localHub(meter: Meter, totals = new Totals()): Hub & { settle: () => void } {
  const key = randomBytes(32);
  const hits = new Hits();
  const settle = () => totals.absorb(meter.takeCounts());
  return {
    settle,
    sessionKey: async () => key,
    figures: async () => {
      settle();
      return [...totals.readings(), ...together(await meter.readGauges())];
    },
    hit: async (caller, windowMs) => hits.hit(caller, windowMs),
  };
}
