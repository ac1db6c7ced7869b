import type { InferredOptionTypes, Options } from "yargs";
import { z } from "zod";
import { daemonStatus } from "../cloud/control.ts";
import { armedFaults, armFault, disarmFaults, replayFaults } from "../cloud/control-socket.ts";
import type { ArmedFault } from "../cloud/faults/armed.ts";
import { keyOf } from "../cloud/faults/fault.ts";
import { ledger } from "../cloud/faults/ledger.ts";
import { SlipwayError } from "../common/errors.ts";
import { readTextIfExists } from "../common/files.ts";

/** Options of `slipway cloud arm`. */
export const faultOptions = {
  times: { type: "number", describe: "how often the fault strikes, at `arm`" },
  seed: {
    type: "string",
    requiresArg: true,
    describe: "strike at about every second occasion, the same ones for the same seed, at `arm`",
  },
  probability: { type: "number", describe: "how likely the fault strikes at an occasion, 0 to 1, at `arm`" },
  target: {
    type: "string",
    requiresArg: true,
    describe:
      "what an occasion has to be about: a part of the request's line or body, or of the server's name or id, at `arm`",
  },
  replay: {
    type: "string",
    requiresArg: true,
    describe: "a file that `cloud faults --json` wrote: its faults strike at the same occasions again, at `arm`",
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
async function arm(stateDir: string, options: FaultArguments): Promise<Shown> {
  const { what: fault, times, seed, probability, target, delay, replay } = options;
  if (replay !== undefined) return armAgain(stateDir, replay);
  const hint = "Run `slipway cloud faults`: it lists what there is.";
  if (fault === undefined) throw new SlipwayError("E_USAGE", "`arm` needs a fault's row or name", { hint });
  if (times !== undefined && !(Number.isInteger(times) && times > 0)) {
    throw new SlipwayError("E_USAGE", "--times needs a whole number from 1", {
      hint: "Leave it out for the usual one.",
    });
  }
  if (probability !== undefined && !(probability >= 0 && probability <= 1)) {
    throw new SlipwayError("E_USAGE", "--probability needs a number from 0 to 1", {
      hint: "Leave it out for every occasion.",
    });
  }
  const delayMs = delay === undefined ? undefined : delay * 1000;
  const armed = await armFault(stateDir, fault, { times, seed, probability, target, delayMs });
  return { object: { armed }, text: `${armed.id} is armed: it strikes ${extentOf(armed)}` };
}

/** What `slipway cloud faults --json` writes, as far as it is needed to do the same again. */
const recordSchema = z.object({
  armed: z.array(
    z.object({
      id: z.string(),
      delayMs: z.number(),
      target: z.string().nullable(),
      firings: z.array(z.object({ occasion: z.number() })),
    }),
  ),
});

/** @throws SlipwayError E_USAGE, E_CLOUD_UNREACHABLE */
async function armAgain(stateDir: string, file: string): Promise<Shown> {
  const hint = "Write one with `slipway cloud faults --json > FILE` before the faults are disarmed.";
  const record = recordSchema.safeParse(jsonOf(await readTextIfExists(file)));
  if (!record.success) throw new SlipwayError("E_USAGE", `${file} is no record of faults`, { hint });
  const wanted = record.data.armed.map(({ firings, ...rest }) => ({
    ...rest,
    only: firings.map((one) => one.occasion),
  }));
  const armed = await replayFaults(stateDir, wanted);
  const lines = armed.map((one) => `${one.id} is armed: it strikes ${extentOf(one)}`);
  return { object: { armed }, text: lines.length === 0 ? "the record has no faults" : lines.join("\n") };
}

function jsonOf(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
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

function extentOf({ times, seed, probability, target, only }: ArmedFault): string {
  const aim = target === null ? "" : ` what has to do with ${target}`;
  if (only !== null) return only.length === 0 ? "never" : `at the occasions ${only.join(", ")}${aim}`;
  const often = times === null ? "until it is disarmed" : times === 1 ? "once" : `${times} times`;
  const chosen =
    seed === null ? "" : `, at the ${Math.round(probability * 100)} % of occasions that the seed ${seed} chooses`;
  return `${often}${aim}${chosen}`;
}
