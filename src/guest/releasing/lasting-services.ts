import { setTimeout as sleep } from "node:timers/promises";
import { readServingConfig } from "../../serving/config.ts";
import { notedRecyclings, type Recyclings } from "../../serving/runtime/recyclings.ts";
import type { Host } from "../host.ts";
import { servingFrontend, servingWorkers } from "../services.ts";
import { runtimeUnit, servingServices, unitNames } from "../unit-names.ts";

/** How a unit of the host's services lasts, as systemd tells. A runtime that made room for a fresh process did not die. */
export interface UnitDeaths {
  /** How often it died since that was set back; one that is about to be restarted counts already. To be compared: it may begin below 0. */
  count: number;
  /** When the last one was followed by a start, in milliseconds since 1970; now where that is still to come; undefined without any, and where
   * it has made room for a fresh process since. */
  lastAt: number | undefined;
}

/** The deaths of each unit of the host's services. */
export async function unitDeaths({ config, paths, run }: Pick<Host, "config" | "paths" | "run">) {
  const { runtimes } = await readServingConfig({ SLIPWAY_SERVING_CONFIG: paths.serving });
  const frontend = (await servingFrontend(paths)) ?? "a";
  const instances = { runtimes, frontend, workers: await servingWorkers(paths) };
  const units = servingServices(config).flatMap((service) => unitNames(service, instances));
  const properties = ["NRestarts", "SubState", "ExecMainStartTimestampMonotonic"].flatMap((name) => ["-p", name]);
  const { stdout } = await run("systemctl", ["show", ...properties, ...units]);
  const states = stdout.split("\n\n");
  const noted = [...(await notedRecyclings(paths.runtimeDir))];
  const recyclings = new Map(noted.map(([instance, one]) => [runtimeUnit(instance), one]));
  return new Map(units.map((unit, index) => [unit, deathsIn(states[index] ?? "", recyclings.get(unit))]));
}

/** States between a death and the restart that counts it. */
const dead = ["auto-restart", "dead-before-auto-restart", "failed-before-auto-restart"];

/** A runtime that makes room answers what it was asked, and is started a second later: all of that takes no longer. */
const RECYCLING_MS = 30_000;

function deathsIn(state: string, recycled: Recyclings = { times: 0, lastAt: Number.NEGATIVE_INFINITY }): UnitDeaths {
  const property = (name: string) => new RegExp(`^${name}=(.+)$`, "m").exec(state)?.[1];
  const restarts = Number(property("NRestarts") ?? 0);
  const isDead = dead.includes(property("SubState") ?? "");
  const count = restarts + (isDead ? 1 : 0) - recycled.times;
  if (restarts === 0 && !isDead) return { count, lastAt: undefined };
  const startedMs = Number(property("ExecMainStartTimestampMonotonic") ?? 0) / 1000;
  const upMs = Number(process.hrtime.bigint() / 1_000_000n);
  const lastAt = isDead ? Date.now() : Date.now() - upMs + startedMs;
  return { count, lastAt: lastAt - recycled.lastAt < RECYCLING_MS ? undefined : lastAt };
}

const LOOK_MS = 250;

/**
 * Does something for as long as the host's units last. What takes too long because they do not is not waited for: it goes on unheeded.
 * @param before their deaths until then
 * @throws Error naming those that died again and again
 */
export async function whileUnitsLast<T>(
  host: Pick<Host, "config" | "paths" | "run">,
  before: Deaths,
  work: () => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const watching = async (): Promise<never> => {
    for (;;) {
      await sleep(LOOK_MS, undefined, { signal: over.signal });
      const { problem } = deathsBetween(before, await unitDeaths(host));
      if (problem !== undefined) throw new Error(problem);
    }
  };
  try {
    return await Promise.race([work(), watching()]);
  } finally {
    over.abort();
  }
}

/** How often a release's units may die. One that dies once may have any reason. */
const MOST_DEATHS = 1;

type Deaths = ReadonlyMap<string, Pick<UnitDeaths, "count">>;

/** The units that died between two looks, how often all of them together did, and what is wrong with that, in words. */
export function deathsBetween(before: Deaths, now: Deaths): { times: number; problem: string | undefined } {
  const died = [...now].flatMap(([unit, { count }]) => {
    const times = count - (before.get(unit)?.count ?? 0);
    return times > 0 ? [{ unit, times }] : [];
  });
  const times = died.reduce((sum, one) => sum + one.times, 0);
  const problem = times > MOST_DEATHS ? `${died.map(({ unit }) => unit).join(" and ")} died ${times} times` : undefined;
  return { times, problem };
}
