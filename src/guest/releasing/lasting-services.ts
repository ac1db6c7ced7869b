import { readServingConfig } from "../../serving/config.ts";
import type { Host } from "../host.ts";
import { servingFrontend, servingWorkers } from "../services.ts";
import { servingServices, unitNames } from "../units.ts";

/** How often each unit of the host's services died since that was set back; one that is about to be restarted counts already. */
export async function restartCounts({ config, paths, run }: Pick<Host, "config" | "paths" | "run">) {
  const { runtimes } = await readServingConfig({ SLIPWAY_SERVING_CONFIG: paths.serving });
  const frontend = (await servingFrontend(paths)) ?? "a";
  const instances = { runtimes, frontend, workers: await servingWorkers(paths) };
  const units = servingServices(config).flatMap((service) => unitNames(service, instances));
  const { stdout } = await run("systemctl", ["show", "-p", "NRestarts", "-p", "SubState", ...units]);
  const states = stdout.split("\n\n");
  return new Map(units.map((unit, index) => [unit, deathsIn(states[index] ?? "")]));
}

function deathsIn(state: string): number {
  const restarts = Number(/^NRestarts=(\d+)$/m.exec(state)?.[1] ?? 0);
  return restarts + (/^SubState=auto-restart/m.test(state) ? 1 : 0);
}

/** One that dies once may have any reason. */
const MOST_DEATHS = 1;

/** Which units died again and again between two looks, in words. */
export function deathsBetween(
  before: ReadonlyMap<string, number>,
  now: ReadonlyMap<string, number>,
): string | undefined {
  const died = [...now].flatMap(([unit, count]) => {
    const times = count - (before.get(unit) ?? 0);
    return times > 0 ? [{ unit, times }] : [];
  });
  const times = died.reduce((sum, one) => sum + one.times, 0);
  return times > MOST_DEATHS ? `${died.map(({ unit }) => unit).join(" and ")} died ${times} times` : undefined;
}
