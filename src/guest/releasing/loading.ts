import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isSameVersion, type ModelIdentity } from "../../serving/models/registry.ts";
import { type Greeting, greetingAt } from "../../serving/runtime/greeting.ts";
import { type Exchange, exchangeAt, failureInWords, LOAD_MS, socketsOf } from "../exchange.ts";
import type { Host } from "../host.ts";

/** A runtime that is there greets at once. */
const GREETING_MS = 1000;
const LOOK_MS = 50;
/** One that is being started is waited for; under software emulation that is not enough, and the others have to do. */
const START_MS = 15_000;
/** One that loads what a release brings before it greets. */
const START_WITH_ARRIVALS_MS = 60_000;
/** A load that a runtime went away over is tried again so often, where it goes away by itself. */
const MOST_LOSSES = 5;

/** How runtimes load what a release brings. */
export interface Loading {
  models: readonly ModelIdentity[];
  /**
   * For runtimes that go away by themselves: called with `<group>-<replica>` of one that has loaded, or went away over it, and is asked again
   * when it is back. From then on it starts with what it loads. Without this a load that a runtime goes away over has failed.
   */
  insist?: (runtime: string) => Promise<void>;
}

/** The sockets of the host's runtimes that serve models of this name. One that is being started is waited for. */
export async function runtimesThere({ paths }: Pick<Host, "paths">, name: string): Promise<string[]> {
  const sockets = await socketsOf(paths, name);
  const deadline = performance.now() + START_MS;
  const there = await Promise.all(
    sockets.map(async (socket) => {
      while ((await greetingAt(socket, GREETING_MS)) === undefined) {
        if (performance.now() > deadline) return [];
        await sleep(LOOK_MS);
      }
      return [socket];
    }),
  );
  return there.flat();
}

/**
 * Has runtimes load what the registry names one after the other: a model that takes its runtime down meets no second one.
 * @param sockets of the runtimes
 * @throws Error of the first runtime that could not load one of the models; where there is none at all
 */
export async function loadInTurn(sockets: readonly string[], { models, insist }: Loading): Promise<void> {
  const names = models.map(({ name, version }) => `${name} ${version}`).join(" and ");
  if (sockets.length === 0) throw new Error(`there is no runtime that could load ${names}`);
  for (const socket of sockets) {
    const result = await loadAt(socket, insist);
    if (result === "away" || result === "lost") throw new Error(`a runtime went away while it loaded ${names}`);
    if (result === "late") throw new Error(`a runtime did not load ${names} within ${LOAD_MS / 1000} s`);
    const failure = result.failed.find((failed) => models.some((model) => isSameVersion(failed, model)));
    if (failure) throw new Error(failureInWords(failure));
    await insist?.(runtimeAt(socket));
  }
}

function runtimeAt(socket: string): string {
  return basename(socket, ".sock");
}

/** Waits for a runtime that is on its way back, and asks it. */
async function loadAt(socket: string, insist: Loading["insist"]): Promise<Exchange> {
  let deadline = performance.now() + START_MS;
  for (let losses = 0; ; ) {
    const result = await exchangeAt(socket, LOAD_MS);
    if (result === "away" && performance.now() < deadline) {
      await sleep(LOOK_MS);
      continue;
    }
    if (result !== "lost" || insist === undefined || ++losses > MOST_LOSSES) return result;
    await insist(runtimeAt(socket));
    deadline = performance.now() + START_WITH_ARRIVALS_MS;
  }
}

/** The first of these runtimes that is not there, or does not have the model, in words. */
export async function runtimeWithout(sockets: readonly string[], model: ModelIdentity): Promise<string | undefined> {
  const isModel = ({ model: { name, digest } }: Greeting["models"][number]) =>
    name === model.name && digest === model.digest;
  for (const socket of sockets) {
    const greeting = await greetingAt(socket, GREETING_MS);
    const runtime = `the runtime ${runtimeAt(socket)}`;
    if (greeting === undefined) return `${runtime} is not there`;
    if (!greeting.models.some(isModel)) return `${runtime} does not serve ${model.name} ${model.version}`;
  }
  return undefined;
}
