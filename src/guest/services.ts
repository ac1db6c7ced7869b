import { namesIn, readTextIfExists, writeFileAtomic } from "../common/files.ts";
import type { Host } from "./host.ts";
import {
  type Runtimes,
  type Service,
  type ServiceSettings,
  servingServices,
  unitFile,
  unitNames,
  unitText,
} from "./units.ts";

/** A service that systemd restarted so often is not going to stay up. */
const RESTARTS = 3;
const LAST_LINES = 19;

/**
 * Writes the host's units where they differ and has them start at every boot.
 * @returns the services whose units were written
 */
export async function ensureUnits({ config, paths, run }: Host, settings: ServiceSettings): Promise<Service[]> {
  const services: Service[] = [...servingServices(config), "agent"];
  const changed: Service[] = [];
  for (const service of services) {
    const file = `${paths.units}/${unitFile(service)}`;
    const text = unitText(service, settings);
    if ((await readTextIfExists(file)) === text) continue;
    await writeFileAtomic(file, text, 0o644);
    changed.push(service);
  }
  // reloads systemd's configuration as well
  if (changed.length > 0)
    await run("systemctl", ["enable", "--quiet", ...unitsOf(services, settings.serving.runtimes)]);
  return changed;
}

/** All serving services run afterwards, and no runtimes of other groups; those in `restart` run anew. */
export async function ensureRunning(host: Host, runtimes: Runtimes, restart: Service[]): Promise<void> {
  const { config, run } = host;
  const services = servingServices(config);
  const anew = services.filter((service) => restart.includes(service));
  const units = unitsOf(services, runtimes);
  const stale = await staleRuntimes(host, units);
  if (stale.length > 0) await run("systemctl", ["disable", "--now", "--quiet", ...stale]);
  if (anew.length > 0) await run("systemctl", ["restart", ...unitsOf(anew, runtimes)]);
  await run("systemctl", ["start", ...units]);
  // Counts of restarts begin here: what a service went through under an earlier release must not fail this one (systemctl(1)).
  await run("systemctl", ["reset-failed", ...units]);
}

/** The units of runtimes that an earlier configuration had and this one has not. */
async function staleRuntimes({ paths }: Host, units: string[]): Promise<string[]> {
  const enabled = await namesIn(paths.enabledUnits);
  return enabled.filter((name) => name.startsWith("slipway-runtime@") && !units.includes(name));
}

function unitsOf(services: Service[], runtimes: Runtimes): string[] {
  return services.flatMap((service) => unitNames(service, runtimes));
}

/** The first serving service that does not stay up, in words with its last lines; undefined when all do. */
export async function collapsedService({ config, run }: Host, runtimes: Runtimes): Promise<string | undefined> {
  for (const unit of unitsOf(servingServices(config), runtimes)) {
    const { stdout } = await run("systemctl", ["show", "-p", "NRestarts", "--value", unit]);
    if (Number(stdout) < RESTARTS) continue;
    return [`${unit} does not stay up`, ...(await lastLines(run, unit))].join("\n");
  }
  return undefined;
}

async function lastLines(run: Host["run"], unit: string): Promise<string[]> {
  const args = ["-u", unit, "-n", String(LAST_LINES), "-o", "cat", "--no-pager"];
  return (await run("journalctl", args)).stdout.split("\n").map(plainLine);
}

/** Serving processes log JSON: a person reads the message and the error's own words. */
function plainLine(line: string): string {
  try {
    const { msg, err } = JSON.parse(line) as { msg?: string; err?: { message?: string } };
    return [msg, err?.message].filter(Boolean).join(": ") || line;
  } catch {
    return line; // plain text: systemd's or node's own
  }
}
