import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { readServingConfig, runtimeSockets } from "../serving/config.ts";
import { RuntimeLink } from "../serving/routing/link.ts";
import type { SyncResult } from "../serving/runtime/hello.ts";
import type { Host } from "./host.ts";

/** A runtime that is there greets at once; one that is being started reads the registry by itself. */
const GREETING_MS = 1000;
/** A large model takes its time to load. */
const LOAD_MS = 240_000;

/**
 * Has the host's runtimes serve what the registry names, without a restart: each serves the old model until it has loaded the new one.
 * @returns why a model could not be loaded; undefined when all were, by those runtimes that are there
 */
export async function exchangeModels({ paths }: Pick<Host, "paths">): Promise<string | undefined> {
  const config = await readServingConfig({ SLIPWAY_SERVING_CONFIG: paths.serving });
  const results = await Promise.all(
    runtimeSockets(config)
      .filter((socket) => existsSync(socket))
      .map(exchangeAt),
  );
  const [failure] = results.flatMap((result) => result?.failed ?? []);
  return failure && `${failure.name} ${failure.version} cannot be loaded: ${failure.message}`;
}

/** Undefined where there is no runtime, or no longer. */
async function exchangeAt(socket: string): Promise<SyncResult | undefined> {
  const greeted = Promise.withResolvers<void>();
  const link = new RuntimeLink({ socket, onChange: () => greeted.resolve(), onReturn: () => undefined });
  try {
    await Promise.race([greeted.promise, sleep(GREETING_MS, undefined, { ref: false })]);
    return await Promise.race([link.sync(), sleep(LOAD_MS, undefined, { ref: false })]);
  } catch {
    return undefined; // it went away; what starts in its place reads the registry by itself
  } finally {
    link.close();
  }
}
