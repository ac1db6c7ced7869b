import type { InferredOptionTypes, Options } from "yargs";
import type { CloudTime } from "../cloud/clock/time-control.ts";
import { cloudTime, moveTime } from "../cloud/control-socket.ts";
import { SlipwayError } from "../common/errors.ts";

/** Options of `slipway cloud clock`. */
export const clockOptions = {
  freeze: { type: "boolean", default: false, describe: "let the cloud's time stand still, at `clock`" },
  advance: { type: "number", describe: "seconds that the cloud's time goes further, at `clock`" },
  next: { type: "boolean", default: false, describe: "go to when something happens next, at `clock`" },
  resume: { type: "boolean", default: false, describe: "let the cloud's time go on by itself, at `clock`" },
  "boot-time": { type: "number", describe: "seconds that pretended guests take to boot, at `clock`" },
  "stop-time": { type: "number", describe: "seconds that pretended guests take to shut down, at `clock`" },
} as const satisfies Record<string, Options>;

type ClockArguments = InferredOptionTypes<typeof clockOptions>;

const milliseconds = (seconds: number | undefined) => (seconds === undefined ? undefined : Math.round(seconds * 1000));

/**
 * Tells the time of the cloud that lives in `stateDir`, after moving it as the options say.
 * @throws SlipwayError E_USAGE (real guests; no span of time), E_CLOUD_UNREACHABLE
 */
export async function clock(stateDir: string, args: ClockArguments) {
  const { freeze, resume, next } = args;
  if (freeze && resume) {
    throw new SlipwayError("E_USAGE", "--freeze and --resume contradict each other", { hint: "Give one of them." });
  }
  const spans = { bootMs: args["boot-time"], stopMs: args["stop-time"], advanceMs: args.advance };
  const moves = freeze || resume || next || Object.values(spans).some((span) => span !== undefined);
  const millis = Object.fromEntries(Object.entries(spans).map(([name, span]) => [name, milliseconds(span)]));
  const time = moves ? await moveTime(stateDir, { freeze, resume, next, ...millis }) : await cloudTime(stateDir);
  return { object: { time }, text: textOf(time) };
}

function textOf({ now, frozen, next, waiting, bootMs, stopMs }: CloudTime): string {
  const things = waiting === 1 ? "one thing waits" : `${waiting} things wait`;
  return [
    `${now}${frozen ? ", frozen" : ""}`,
    next === null ? "nothing waits for it" : `${things} for it, the next until ${next}`,
    `a boot takes ${bootMs / 1000} s, a shutdown ${stopMs / 1000} s`,
  ].join("\n");
}
