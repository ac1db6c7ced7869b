import { readTextIfExists, writeFileAtomic } from "../common/files.ts";
import type { Host } from "./host.ts";
import { type Service, servingServices, unitFile, unitNames, unitText } from "./units.ts";

/** A service that systemd restarted so often is not going to stay up. */
const RESTARTS = 3;
const LAST_LINES = 19;

/**
 * Writes the host's units where they differ and has them start at every boot.
 * @returns the services whose units were written
 */
export async function ensureUnits({ config, paths, run }: Host, queueServer: string): Promise<Service[]> {
  const services: Service[] = [...servingServices(config), "agent"];
  const changed: Service[] = [];
  for (const service of services) {
    const file = `${paths.units}/${unitFile(service)}`;
    const text = unitText(service, config, queueServer);
    if ((await readTextIfExists(file)) === text) continue;
    await writeFileAtomic(file, text, 0o644);
    changed.push(service);
  }
  // reloads systemd's configuration as well
  if (changed.length > 0) await run("systemctl", ["enable", "--quiet", ...services.flatMap(unitNames)]);
  return changed;
}

/** All serving services run afterwards; those in `restart` run anew. */
export async function ensureRunning({ config, run }: Host, restart: Service[]): Promise<void> {
  const services = servingServices(config);
  const anew = services.filter((service) => restart.includes(service));
  if (anew.length > 0) await run("systemctl", ["restart", ...anew.flatMap(unitNames)]);
  await run("systemctl", ["start", ...services.flatMap(unitNames)]);
  // Counts of restarts begin here: what a service went through under an earlier release must not fail this one (systemctl(1)).
  await run("systemctl", ["reset-failed", ...services.flatMap(unitNames)]);
}

/** The first serving service that does not stay up, in words with its last lines; undefined when all do. */
export async function collapsedService({ config, run }: Host): Promise<string | undefined> {
  for (const unit of servingServices(config).flatMap(unitNames)) {
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
