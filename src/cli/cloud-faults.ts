import type { InferredOptionTypes, Options } from "yargs";
import { daemonStatus } from "../cloud/control.ts";
import { armedFaults, armFault, disarmFaults } from "../cloud/control-socket.ts";
import type { ArmedFault } from "../cloud/faults/armed.ts";
import { keyOf } from "../cloud/faults/fault.ts";
import { ledger } from "../cloud/faults/ledger.ts";
import { SlipwayError } from "../common/errors.ts";

/** Options of `slipway cloud arm`. */
export const faultOptions = {
  times: { type: "number", describe: "how often the fault strikes, at `arm`" },
  seed: {
    type: "string",
    requiresArg: true,
    describe: "strike at about every second occasion, the same ones for the same seed, at `arm`",
  },
  delay: { type: "number", describe: "seconds that the fault holds something up, at `arm`" },
} as const satisfies Record<string, Options>;

/** What the actions are given: the options, and the fault that stands after the action. */
type FaultArguments = InferredOptionTypes<typeof faultOptions> & { what?: string };

/** What an action prints: the result's object, and the same for people. */
interface Shown {
  object: Record<string, unknown>;
  text: string;
}

/** The actions of `slipway cloud` that are about faults, on the cloud that lives in `stateDir`. */
export const faultActions = { arm, disarm, faults };

/** @throws SlipwayError E_USAGE, E_CLOUD_UNREACHABLE */
async function arm(stateDir: string, { what: fault, times, seed, delay }: FaultArguments): Promise<Shown> {
  const hint = "Run `slipway cloud faults`: it lists what there is.";
  if (fault === undefined) throw new SlipwayError("E_USAGE", "`arm` needs a fault's row or name", { hint });
  if (times !== undefined && !(Number.isInteger(times) && times > 0)) {
    throw new SlipwayError("E_USAGE", "--times needs a whole number from 1", {
      hint: "Leave it out for the usual one.",
    });
  }
  const delayMs = delay === undefined ? undefined : delay * 1000;
  const armed = await armFault(stateDir, fault, { times, seed, delayMs });
  return { object: { armed }, text: `${armed.id} is armed: it strikes ${extentOf(armed)}` };
}

/** @throws SlipwayError E_USAGE, E_CLOUD_UNREACHABLE */
async function disarm(stateDir: string, { what: fault }: FaultArguments): Promise<Shown> {
  const disarmed = await disarmFaults(stateDir, fault);
  const text = disarmed.length === 0 ? "nothing was armed" : `disarmed: ${disarmed.join(", ")}`;
  return { object: { disarmed }, text };
}

/** Every fault that there is, which are armed, and when they struck. A cloud that does not run is not asked. */
async function faults(stateDir: string): Promise<Shown> {
  const armed = (await daemonStatus(stateDir)).running ? await armedFaults(stateDir) : [];
  const lines = ledger.flatMap((fault) => {
    const own = armed.find(({ id }) => id === keyOf(fault));
    const state = own === undefined ? [] : [`    armed: strikes ${extentOf(own)}; ${own.struck} so far`];
    const firings = own?.firings.map(({ at, what }) => `    ${at} ${what}`) ?? [];
    return [`${keyOf(fault)}: ${fault.does}`, ...state, ...firings];
  });
  const known = ledger.map((fault) => ({ id: keyOf(fault), does: fault.does }));
  return { object: { faults: known, armed }, text: lines.join("\n") };
}

function extentOf({ times, seed }: ArmedFault): string {
  const often = times === null ? "until it is disarmed" : times === 1 ? "once" : `${times} times`;
  return seed === null ? often : `${often}, at the occasions that the seed ${seed} chooses`;
}
