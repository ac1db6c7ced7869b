import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { readServingConfig, runtimeSockets, servesModel } from "../serving/config.ts";
import { RuntimeLink } from "../serving/routing/link.ts";
import type { SyncResult } from "../serving/runtime/hello.ts";
import type { Host } from "./host.ts";

/** A runtime that is there greets at once; one that is being started reads the registry by itself. */
const GREETING_MS = 1000;
/** A large model takes its time to load. */
export const LOAD_MS = 240_000;

/** What came of asking a runtime to serve what the registry names. `away`: there is none. `lost`: it went away over it. `late`: no answer. */
export type Exchange = "away" | "lost" | "late" | SyncResult;

/**
 * Has the host's runtimes serve what the registry names, without a restart: each serves the old model until it has loaded the new one.
 * @returns why a model could not be loaded; undefined when all were, by those runtimes that are there
 */
export async function exchangeModels({ paths }: Pick<Host, "paths">): Promise<string | undefined> {
  const results = await Promise.all((await socketsOf(paths)).map((socket) => exchangeAt(socket, LOAD_MS)));
  const [failure] = results.flatMap((result) => (typeof result === "string" ? [] : result.failed));
  return failure && failureInWords(failure);
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

/** The sockets of the host's runtimes, those of dead ones among them; of those that serve models of this name. */
export async function socketsOf(paths: Host["paths"], model?: string): Promise<string[]> {
  const config = await readServingConfig({ SLIPWAY_SERVING_CONFIG: paths.serving });
  const runtimes = config.runtimes.filter((group) => model === undefined || servesModel(config, group, model));
  return runtimeSockets({ ...config, runtimes }).filter((socket) => existsSync(socket));
}

/** Has the runtime at a socket serve what the registry names. */
export async function exchangeAt(socket: string, timeoutMs: number): Promise<Exchange> {
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

/** Why a model is not in a runtime's memory. */
export function failureInWords({ name, version, message }: SyncResult["failed"][number]): string {
  return `${name} ${version} cannot be loaded: ${message}`;
}
