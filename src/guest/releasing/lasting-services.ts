import { readServingConfig } from "../../serving/config.ts";
import type { Host } from "../host.ts";
import { servingFrontend } from "../services.ts";
import { servingServices, unitNames } from "../units.ts";

/** How often systemd restarted each unit of the host's services since that was set back. */
export async function restartCounts({ config, paths, run }: Pick<Host, "config" | "paths" | "run">) {
  const { runtimes } = await readServingConfig({ SLIPWAY_SERVING_CONFIG: paths.serving });
  const instances = { runtimes, frontend: (await servingFrontend(paths)) ?? "a" };
  const units = servingServices(config).flatMap((service) => unitNames(service, instances));
  const { stdout } = await run("systemctl", ["show", "-p", "NRestarts", "--value", ...units]);
  const counts = stdout.split("\n").flatMap((line) => (line.trim() === "" ? [] : [Number(line)]));
  return new Map(units.map((unit, index) => [unit, counts[index] ?? 0]));
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
