import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { readServingConfig, runtimeSockets } from "../serving/config.ts";
import type { ModelIdentity } from "../serving/models/registry.ts";
import { RuntimeLink } from "../serving/routing/link.ts";
import type { SyncResult } from "../serving/runtime/hello.ts";
import type { Host } from "./host.ts";

/** A runtime that is there greets at once; one that is being started reads the registry by itself. */
const GREETING_MS = 1000;
/** A large model takes its time to load. */
const LOAD_MS = 240_000;

/** What came of asking a runtime to serve what the registry names. `away`: there is none. `lost`: it went away over it. `late`: no answer. */
type Exchange = "away" | "lost" | "late" | SyncResult;

/**
 * Has the host's runtimes serve what the registry names, without a restart: each serves the old model until it has loaded the new one.
 * @returns why a model could not be loaded; undefined when all were, by those runtimes that are there
 */
export async function exchangeModels({ paths }: Pick<Host, "paths">): Promise<string | undefined> {
  const results = await Promise.all((await socketsOf(paths)).map((socket) => exchangeAt(socket, LOAD_MS)));
  const [failure] = results.flatMap((result) => (typeof result === "string" ? [] : result.failed));
  return failure && inWords(failure);
}

/**
 * Has the runtimes load what the registry names one after the other: a model that takes its runtime down meets no second one.
 * @param models which of the registry's count
 * @throws Error of the first runtime that could not load one of them; where none is there at all
 */
export async function loadInTurn({ paths }: Pick<Host, "paths">, models: readonly ModelIdentity[]): Promise<void> {
  const names = models.map(({ name, version }) => `${name} ${version}`).join(" and ");
  let loaded = 0;
  for (const socket of await socketsOf(paths)) {
    const result = await exchangeAt(socket, LOAD_MS);
    if (result === "away") continue;
    if (result === "lost") throw new Error(`a runtime went away while it loaded ${names}`);
    if (result === "late") throw new Error(`a runtime did not load ${names} within ${LOAD_MS / 1000} s`);
    const failure = result.failed.find((one) => models.some((model) => isNamed(model, one)));
    if (failure) throw new Error(inWords(failure));
    loaded++;
  }
  if (loaded === 0) throw new Error(`there is no runtime that could load ${names}`);
}

/**
 * Has the runtimes serve what the registry names, which they have in memory already.
 * @returns the sockets of those that have done so, and of those that do not answer in time: they are busy with what they were asked before
 */
export async function switchModels(
  { paths }: Pick<Host, "paths">,
  timeoutMs: number,
): Promise<{ switched: string[]; late: string[] }> {
  const sockets = await socketsOf(paths);
  const results = await Promise.all(sockets.map((socket) => exchangeAt(socket, timeoutMs)));
  return {
    switched: sockets.filter((_, index) => typeof results[index] !== "string"),
    late: sockets.filter((_, index) => results[index] === "late"),
  };
}

async function socketsOf(paths: Host["paths"]): Promise<string[]> {
  const config = await readServingConfig({ SLIPWAY_SERVING_CONFIG: paths.serving });
  return runtimeSockets(config).filter((socket) => existsSync(socket));
}

async function exchangeAt(socket: string, timeoutMs: number): Promise<Exchange> {
  const greeted = Promise.withResolvers<"greeted">();
  const link = new RuntimeLink({ socket, onChange: () => greeted.resolve("greeted"), onReturn: () => undefined });
  const stop = new AbortController();
  const within = <T>(ms: number, late: T) => sleep(ms, late, { signal: stop.signal, ref: false });
  try {
    await Promise.race([greeted.promise, within(GREETING_MS, "silent")]);
    if (link.connected === undefined) return "away";
    // what starts in the place of one that is lost reads the registry by itself
    return await Promise.race([link.sync().catch(() => "lost" as const), within(timeoutMs, "late" as const)]);
  } finally {
    stop.abort();
    link.close();
  }
}

function isNamed(model: ModelIdentity, { name, version }: SyncResult["failed"][number]): boolean {
  return model.name === name && model.version === version;
}

function inWords({ name, version, message }: SyncResult["failed"][number]): string {
  return `${name} ${version} cannot be loaded: ${message}`;
}
