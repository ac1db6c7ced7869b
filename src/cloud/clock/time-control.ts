import { SlipwayError } from "../../common/errors.ts";
import { FakeHypervisor } from "../hypervisors/fake.ts";
import type { Hypervisor } from "../hypervisors/hypervisor.ts";
import type { Store } from "../store/store.ts";
import type { ClockState, MovableClock } from "./movable-clock.ts";

/** How a cloud's time stands. */
export interface CloudTime {
  /** RFC 3339. */
  now: string;
  frozen: boolean;
  /** When the next of what waits for the clock is due, RFC 3339; null where nothing waits. */
  next: string | null;
  /** How much waits: boots, stops, the end of objects, what faults hold up. */
  waiting: number;
  /** How long pretended guests take, milliseconds. */
  bootMs: number;
  stopMs: number;
}

/** Moves a cloud's time. Only pretended guests live by it: with real ones each call throws SlipwayError E_USAGE. */
export interface TimeControl {
  time(): CloudTime;
  /** Stands still from now on. */
  freeze(): CloudTime;
  /** Goes on from where it stands. */
  resume(): CloudTime;
  /** Goes so many milliseconds further; what was due until then has happened when this resolves, in the order of its times. */
  advance(ms: number): Promise<CloudTime>;
  /** Goes to the time of the next of what waits; where nothing waits, it stays. */
  advanceToNext(): Promise<CloudTime>;
  /** Changes how long boots and stops take that begin from now on, milliseconds. */
  setDelays(delays: { bootMs?: number | undefined; stopMs?: number | undefined }): CloudTime;
}

/** A hundred years: what is further is no date of the APIs. */
export const longestMoveMs = 100 * 365 * 86_400_000;

/** The settings that the time is kept under: it survives a restart. */
const clockSetting = "clock";
const delaysSetting = "fake-delays";

/** The control of a cloud's clock, which is set to how an earlier start left it, or to how `first` says. */
export function timeControl(
  store: Store,
  clock: MovableClock,
  hypervisor: Hypervisor,
  first?: ClockState,
): TimeControl {
  if (!(hypervisor instanceof FakeHypervisor)) return refusing;
  const kept = store.setting(clockSetting);
  const state = kept === undefined ? first : (JSON.parse(kept) as ClockState);
  if (state !== undefined) clock.restore(state);
  const delays = store.setting(delaysSetting);
  if (delays !== undefined) Object.assign(hypervisor.delays, JSON.parse(delays));

  const time = (): CloudTime => ({
    now: new Date(clock.now()).toISOString(),
    frozen: "frozenAt" in clock.state,
    next: clock.next === undefined ? null : new Date(clock.next).toISOString(),
    waiting: clock.waiting,
    ...hypervisor.delays,
  });
  const keep = () => {
    store.setSetting(clockSetting, JSON.stringify(clock.state));
    return time();
  };
  return {
    time,
    freeze() {
      clock.freeze();
      return keep();
    },
    resume() {
      clock.resume();
      return keep();
    },
    async advance(ms) {
      demandSpan(ms);
      await clock.advance(ms);
      return keep();
    },
    async advanceToNext() {
      await clock.advanceToNext();
      return keep();
    },
    setDelays({ bootMs = hypervisor.delays.bootMs, stopMs = hypervisor.delays.stopMs }) {
      demandSpan(bootMs);
      demandSpan(stopMs);
      Object.assign(hypervisor.delays, { bootMs, stopMs });
      store.setSetting(delaysSetting, JSON.stringify(hypervisor.delays));
      return time();
    },
  };
}

function demandSpan(ms: number): void {
  if (ms >= 0 && ms <= longestMoveMs) return;
  throw new SlipwayError("E_USAGE", `${ms} ms is no span of time`, { hint: "Give one from 0 to a hundred years." });
}

const refuse = (): never => {
  throw new SlipwayError("E_USAGE", "this cloud has real guests, which live by the machine's time", {
    hint: "Only a cloud with `--hypervisor fake` has a clock that can be moved.",
  });
};
const refusing: TimeControl = {
  time: refuse,
  freeze: refuse,
  resume: refuse,
  advance: async () => refuse(),
  advanceToNext: async () => refuse(),
  setDelays: refuse,
};
