import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { namesIn } from "../common/files.ts";
import { loadedVersions } from "../serving/models/registry.ts";
import { readRegistry } from "../serving/models/registry-file.ts";
import { LONGEST_PAUSE_MS } from "../serving/routing/link.ts";
import { PROTOCOL } from "../serving/runtime/frames.ts";
import { type Greeting, greetingAt } from "../serving/runtime/greeting.ts";
import type { Host } from "./host.ts";

/** A runtime that is there greets at once. */
const GREETING_MS = 1000;
const LOOK_MS = 50;
/** A guest under software emulation starts Node in minutes. */
const READY_MS = 300_000;

/**
 * That the runtimes which serve, and the frontends that ask them, speak with those of this payload: both are there while services are
 * exchanged one after the other. Throws where they do not.
 */
export async function requireSameProtocol({ paths }: Pick<Host, "paths">, own: number = PROTOCOL): Promise<void> {
  const sockets = (await namesIn(paths.runtimeDir)).filter((name) => name.endsWith(".sock"));
  const greetings = await Promise.all(sockets.map((name) => greetingAt(join(paths.runtimeDir, name), GREETING_MS)));
  const other = greetings.find((greeting) => greeting !== undefined && greeting.protocol !== own);
  if (other === undefined) return;
  throw new Error(
    `this payload's services speak version ${own} of the runtimes' protocol, those that serve version ${other.protocol}: hosts of a new generation can run it (raise slipway:generation, then slipway up)`,
  );
}

/**
 * Has a runtime that serves started anew, and waits until the new one has what the registry names of the models that it served, and those
 * who ask have found it.
 * @param collapse in words, where it does not stay up
 */
export async function untilRuntimeServes(
  { paths }: Pick<Host, "paths">,
  socket: string,
  restart: () => Promise<void>,
  collapse: () => Promise<string | undefined>,
): Promise<void> {
  const before = await greetingAt(socket, GREETING_MS);
  const names = new Set(before?.models.map(({ model }) => model.name));
  await restart();
  if (before === undefined) return; // it has served nobody
  const wanted = loadedVersions(await readRegistry(paths.models)).filter(({ name }) => names.has(name));
  const lacks = ({ models }: Greeting) =>
    wanted.find(({ digest }) => !models.some(({ model }) => model.digest === digest));
  const deadline = performance.now() + READY_MS;
  for (;;) {
    const greeting = await greetingAt(socket, GREETING_MS);
    const lacking = greeting && lacks(greeting);
    if (greeting && lacking === undefined) break;
    const reason = lacking ? `it does not serve ${lacking.name} ${lacking.version}` : await collapse();
    if (reason !== undefined) throw new Error(lacking ? `the runtime at ${socket}: ${reason}` : reason);
    if (performance.now() > deadline) throw new Error(`waited ${READY_MS / 1000} s for the runtime at ${socket}`);
    await sleep(LOOK_MS);
  }
  await sleep(LONGEST_PAUSE_MS);
}
