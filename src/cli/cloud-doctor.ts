import { type Condition, type Examined, examineMachine, removeExamined } from "../cloud/doctor.ts";
import type { Leftover } from "../cloud/leftovers.ts";
import { SlipwayError } from "../common/errors.ts";
import type { Reporter } from "./ui/reporter.ts";

/** What a condition means for people. */
const meanings: Record<Condition, string> = {
  running: "runs",
  stopped: "is stopped, its guests run on: `slipway cloud start` finds them",
  dead: "is dead, its state is there: it can be started again, which makes everything on the machine anew",
  gone: "is dead, and its state is gone",
  unknown: "may be anybody's",
};

/**
 * Finds what dead embedded clouds have left on this machine, whosever project they were of, and removes it; with `dryRun` only tells.
 * @throws SlipwayError E_LEFTOVERS where something is left
 */
export async function doctor({ dryRun }: { dryRun: boolean }, reporter: Reporter): Promise<void> {
  const examined = await reporter.phase("look", "a look at this machine", examineMachine);
  const sick = examined.filter(({ removable }) => removable.length > 0);
  const about = examined.map(lineOf);
  if (dryRun) {
    if (sick.length > 0) throw stillThere(`${count(sick)} would be removed`, sick, "Run it without --dry-run.");
    reporter.result({ ok: true, clouds: examined }, [...about, "nothing is left of dead clouds"].join("\n"));
    return;
  }
  const cleared: Examined[] = [];
  const left: Examined[] = [];
  const reasons: string[] = [];
  await reporter.phase("remove", "what dead clouds left", async ({ note }) => {
    for (const cloud of sick) {
      note(lineOf(cloud));
      const removal = await removeExamined(cloud);
      if (removal.reason !== undefined) reasons.push(removal.reason);
      if (removal.removed.length > 0) cleared.push({ ...cloud, removable: removal.removed });
      if (removal.left.length > 0) left.push({ ...cloud, removable: removal.left });
    }
  });
  if (left.length > 0) throw stillThere(`${count(left)} could not be removed`, left, "Run it as root.", reasons);
  const removed = cleared.flatMap(({ removable }) => removable);
  const end = removed.length === 0 ? "nothing was left of dead clouds" : `removed ${count(cleared)}`;
  const object = { ok: true, clouds: examined, removed, timings: reporter.timings };
  reporter.result(object, [...about, ...removed.map(thing), end].join("\n"));
}

function stillThere(what: string, clouds: Examined[], hint: string, reasons: string[] = []): SlipwayError {
  const details = clouds.flatMap((cloud) => [lineOf(cloud), ...cloud.removable.map(thing)]);
  return new SlipwayError("E_LEFTOVERS", `dead clouds have left something on this machine: ${what}`, {
    ...{ details: [...details, ...reasons], hint },
  });
}

const lineOf = ({ tag, condition, stateDir, found }: Examined) =>
  `${tag}${stateDir === undefined ? "" : ` of ${stateDir}`}, ${found.length} things on this machine: ${meanings[condition]}`;

const thing = ({ kind, name }: Leftover) => `  ${kind} ${name}`;

function count(clouds: Examined[]): string {
  const things = clouds.flatMap(({ removable }) => removable).length;
  return `${things} ${things === 1 ? "thing" : "things"} of ${clouds.length} ${clouds.length === 1 ? "cloud" : "clouds"}`;
}
