import { readTextIfExists, writeFileAtomic } from "../common/files.ts";
import type { Host } from "./host.ts";
import { type Service, servingServices, unitName, unitText } from "./units.ts";

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
    const file = `${paths.units}/${unitName(service)}`;
    const text = unitText(service, config, queueServer);
    if ((await readTextIfExists(file)) === text) continue;
    await writeFileAtomic(file, text, 0o644);
    changed.push(service);
  }
  // reloads systemd's configuration as well
  if (changed.length > 0) await run("systemctl", ["enable", "--quiet", ...services.map(unitName)]);
  return changed;
}

/** All serving services run afterwards; those in `restart` run anew. */
export async function ensureRunning({ config, run }: Host, restart: Service[]): Promise<void> {
  const services = servingServices(config);
  const anew = services.filter((service) => restart.includes(service));
  if (anew.length > 0) await run("systemctl", ["restart", ...anew.map(unitName)]);
  await run("systemctl", ["start", ...services.map(unitName)]);
  // Counts of restarts begin here: what a service went through under an earlier release must not fail this one (systemctl(1)).
  await run("systemctl", ["reset-failed", ...services.map(unitName)]);
}

/** The first serving service that does not stay up, in words with its last lines; undefined when all do. */
export async function collapsedService({ config, run }: Host): Promise<string | undefined> {
  for (const service of servingServices(config)) {
    const { stdout } = await run("systemctl", ["show", "-p", "NRestarts", "--value", unitName(service)]);
    if (Number(stdout) < RESTARTS) continue;
    return [`${unitName(service)} does not stay up`, ...(await lastLines(run, service))].join("\n");
  }
  return undefined;
}

async function lastLines(run: Host["run"], service: Service): Promise<string[]> {
  const args = ["-u", unitName(service), "-n", String(LAST_LINES), "-o", "cat", "--no-pager"];
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
