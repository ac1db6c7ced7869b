import { basename, join } from "node:path";
import { ensureText, namesIn } from "../common/files.ts";
import type { ServingConfig } from "../serving/config.ts";
import type { Host } from "./host.ts";
import { untilRuntimeServes } from "./rolling.ts";
import type { ServiceSettings } from "./service-description.ts";
import { socketUnits } from "./socket-units.ts";
import {
  type FrontendInstance,
  frontendUnit,
  type Instances,
  otherThan,
  runtimeUnit,
  type Service,
  type ServingService,
  servingServices,
  unitFile,
  unitNames,
} from "./unit-names.ts";
import { unitText } from "./units.ts";

/** A service that systemd restarted so often is not going to stay up. */
const RESTARTS = 3;
const LAST_LINES = 19;

/** The frontend's instance that starts at every boot; undefined before the first one does. */
export async function servingFrontend({ enabledUnits }: Pick<Host["paths"], "enabledUnits">) {
  const instances: FrontendInstance[] = ["a", "b"];
  const enabled = await namesIn(enabledUnits);
  return instances.find((instance) => enabled.includes(frontendUnit(instance)));
}

/** How many workers start at every boot. */
export async function servingWorkers({ enabledUnits }: Pick<Host["paths"], "enabledUnits">): Promise<number> {
  return (await namesIn(enabledUnits)).filter((name) => name.startsWith("slipway-worker@")).length;
}

/**
 * Writes the host's units where they differ and has them start at every boot.
 * @param serves the frontend's instance that serves already
 * @returns the services whose units were written, and the units of sockets at which nothing listens yet
 */
export async function ensureUnits(
  { config, paths, run }: Host,
  settings: ServiceSettings,
  instances: Instances,
  serves: FrontendInstance | undefined,
): Promise<{ changed: Service[]; listeners: string[] }> {
  const services: Service[] = [...servingServices(config), "agent"];
  const sockets = services.includes("frontend") ? socketUnits(settings.serving) : [];
  const ensure = (file: string, text: string) => ensureText(join(paths.units, file), text, 0o644);
  const changed: Service[] = [];
  for (const service of services) {
    if (await ensure(unitFile(service), unitText(service, settings))) changed.push(service);
  }
  const listening = await namesIn(paths.enabledSockets);
  const listeners = sockets.filter(({ file }) => !listening.includes(file));
  // it cannot begin to listen while the instance runs that it names
  for (const { file, text } of listeners) await ensure(file, text(serves ? otherThan(serves) : "a"));
  const units = [...unitsOf(services, instances), ...sockets.map(({ file }) => file)];
  const enabled = [...(await namesIn(paths.enabledUnits)), ...listening];
  // reloads systemd's configuration as well
  if (changed.length > 0 || units.some((unit) => !enabled.includes(unit))) {
    await run("systemctl", ["enable", "--quiet", ...units]);
  }
  return { changed, listeners: listeners.map(({ file }) => file) };
}

/** How {@link ensureRunning} has the services run. */
interface Running {
  instances: Instances;
  /** Services that run anew. */
  restart: Service[];
}

/** All serving services run afterwards, and no runtime or worker that an earlier configuration had and this one has not. */
export async function ensureRunning(host: Host, { instances, restart }: Running): Promise<void> {
  const { config, run } = host;
  const services = servingServices(config);
  const anew = (service: ServingService) => services.includes(service) && restart.includes(service);
  const units = unitsOf(services, instances);
  const enabled = await namesIn(host.paths.enabledUnits);
  await endStale(
    host,
    enabled.filter((name) => /^slipway-(runtime|worker)\b/.test(name)),
    units,
  );
  const serving = anew("runtime") ? await servingRuntimes(host, unitNames("runtime", instances)) : [];
  const inTurn = serving.map(({ unit }) => unit);
  // where runtimes serve, what asks them follows them
  const after = inTurn.length > 0 ? unitsOf((["frontend", "worker"] as const).filter(anew), instances) : [];
  const atOnce = unitsOf(services.filter(anew), instances).filter((unit) => ![...inTurn, ...after].includes(unit));
  if (atOnce.length > 0) await run("systemctl", ["restart", ...atOnce]);
  for (const { unit, socket } of serving) await exchangeRuntime(host, unit, socket);
  if (after.length > 0) await run("systemctl", ["restart", ...after]);
  await run("systemctl", ["start", ...units]);
  // Counts of restarts begin here: what a service went through under an earlier release must not fail this one (systemctl(1)).
  await run("systemctl", ["reset-failed", ...units]);
}

/** Those of these runtimes that are there, with their sockets' paths. */
async function servingRuntimes({ paths }: Host, units: string[]): Promise<{ unit: string; socket: string }[]> {
  const names = (await namesIn(paths.runtimeDir)).filter((name) => name.endsWith(".sock"));
  const sockets = new Map(names.map((name) => [runtimeUnit(basename(name, ".sock")), join(paths.runtimeDir, name)]));
  return units.flatMap((unit) => {
    const socket = sockets.get(unit);
    return socket === undefined ? [] : [{ unit, socket }];
  });
}

/** Until it serves again the others answer. */
async function exchangeRuntime(host: Host, unit: string, socket: string): Promise<void> {
  const restart = async () => {
    await host.run("systemctl", ["reset-failed", unit]);
    await host.run("systemctl", ["restart", unit]);
  };
  await untilRuntimeServes(host, socket, restart, () => collapsedUnit(host, unit));
}

/** Nothing listens afterwards where an earlier configuration did and this one does not: to be called when no frontend serves by that one. */
export async function endStaleListeners(host: Host, serving: ServingConfig): Promise<void> {
  const sockets = (await namesIn(host.paths.enabledSockets)).filter((name) => name.startsWith("slipway-"));
  const wanted = socketUnits(serving).map(({ file }) => file);
  await endStale(host, sockets, wanted);
}

async function endStale({ run }: Host, enabled: readonly string[], wanted: readonly string[]): Promise<void> {
  const stale = enabled.filter((name) => !wanted.includes(name));
  if (stale.length > 0) await run("systemctl", ["disable", "--now", "--quiet", ...stale]);
}

function unitsOf(services: Service[], instances: Instances): string[] {
  return services.flatMap((service) => unitNames(service, instances));
}

/** The first serving service that does not stay up, in words with its last lines; undefined when all do. */
export async function collapsedService(host: Host, instances: Instances): Promise<string | undefined> {
  for (const unit of unitsOf(servingServices(host.config), instances)) {
    const collapse = await collapsedUnit(host, unit);
    if (collapse !== undefined) return collapse;
  }
  return undefined;
}

async function collapsedUnit({ run }: Pick<Host, "run">, unit: string): Promise<string | undefined> {
  const { stdout } = await run("systemctl", ["show", "-p", "NRestarts", "--value", unit]);
  if (Number(stdout) < RESTARTS) return undefined;
  return [`${unit} does not stay up`, ...(await lastLines(run, unit))].join("\n");
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
