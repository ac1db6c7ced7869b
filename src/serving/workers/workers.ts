import type { Logger } from "pino";
import type { RuntimeAddress } from "../routing/address.ts";
import { addressText } from "../routing/address-text.ts";
import type { Router } from "../routing/router.ts";
import type { AskingIdentity } from "../runtime/identity.ts";
import { WorkerCaller } from "./call.ts";
import type { RegistryConnections } from "./connections.ts";
import { farRuntime } from "./far-runtimes.ts";
import { RegistryFollower } from "./follower.ts";
import { AddressGuard, ownNetworks } from "./networks.ts";
import { type PoolOptions, WorkerPool } from "./pool.ts";
import { probeOf } from "./probe.ts";
import { startProber } from "./prober.ts";
import type { RegistrySnapshot, WorkerRegistry } from "./registry.ts";
import { redisRegistry } from "./registry.ts";
import type { WorkersSettings } from "./settings.ts";
import { webhookNotifier } from "./webhook.ts";

/** A runtime of the frontend's own host. */
interface OwnRuntime {
  id: string;
  address: RuntimeAddress;
}

/** The registry as a frontend has it: to change, and as it is followed. */
export interface FollowedRegistry {
  registry: WorkerRegistry;
  follower: Pick<RegistryFollower, "snapshot" | "absence" | "refresh">;
}

/** What a frontend knows of workers and does with them. */
export interface Workers {
  settings: WorkersSettings;
  pool: WorkerPool;
  caller: WorkerCaller;
  guard: AddressGuard;
  own: readonly OwnRuntime[];
  /** Who runtimes of other hosts are asked as; without it those that speak TLS are not asked. */
  identity: AskingIdentity | undefined;
  /** The runtimes that the router follows. */
  links: () => Router["links"];
  /** Absent on a host without a queue, which has no others than its own runtimes. */
  followed: FollowedRegistry | undefined;
  /** Resolves when the registry was read, or does not answer for so long that nothing is known for now. */
  settle: () => Promise<void>;
  close: () => Promise<void>;
}

/** A start waits so long for the registry, and then goes on without. */
const SETTLE_MS = 2000;

export interface WorkersOptions extends Pick<PoolOptions, "onOutcome" | "onFailover"> {
  settings: WorkersSettings;
  own: readonly OwnRuntime[];
  /** Who runtimes of other hosts are asked as. */
  identity?: AskingIdentity | undefined;
  router: Pick<Router, "follow" | "links">;
  /** Absent on a host without a queue. Closed with the workers. */
  queue: RegistryConnections | undefined;
  log: Logger;
}

/** Follows the registry, has the router and a pool of external workers work with what it says, and takes part in looking at workers. */
export function openWorkers({ settings, own, identity, router, queue, log, ...told }: WorkersOptions): Workers {
  const guard = new AddressGuard(settings.allowedNetworks ?? ownNetworks());
  const caller = new WorkerCaller(guard);
  const pool = new WorkerPool({ settings, caller, ...told });
  const base = { settings, pool, caller, guard, own, identity, links: () => router.links };
  if (!queue) return { ...base, followed: undefined, settle: async () => undefined, close: async () => caller.close() };

  const registry = redisRegistry(queue.connection, queue.prefix);
  let routed = "";
  const onChange = (snapshot: RegistrySnapshot) => {
    pool.update(snapshot.records);
    const { addresses, resting } = runtimesIn(snapshot, own, identity);
    const text = JSON.stringify([addresses, resting].map((list) => list.map(addressText).sort()));
    if (text !== routed) router.follow(addresses, resting);
    routed = text;
  };
  const { listening, prefix } = queue;
  const follower = new RegistryFollower({ registry, listening, prefix, ttlMs: settings.ttlMs, log, onChange });
  const probe = probeOf(settings.probe, caller, guard);
  const prober = startProber({ registry, probe, notify: webhookNotifier(settings, log), settings, log });
  return {
    ...base,
    followed: { registry, follower },
    settle: () => follower.settle(SETTLE_MS),
    close: async () => {
      await prober.close();
      follower.close();
      queue.connection.disconnect();
      caller.close();
    },
  };
}

/** The runtimes of other hosts that are to be connected, and those of all that get nothing new. */
function runtimesIn(
  { records, draining }: RegistrySnapshot,
  own: readonly OwnRuntime[],
  identity: AskingIdentity | undefined,
): { addresses: RuntimeAddress[]; resting: RuntimeAddress[] } {
  const ownIds = new Set(own.map(({ id }) => id));
  const addresses: RuntimeAddress[] = [];
  const resting = own.filter(({ id }) => draining.has(id)).map(({ address }) => address);
  for (const { worker, alive, draining: rests } of records) {
    if (worker.kind !== "runtime" || alive !== true || ownIds.has(worker.id)) continue;
    const far = farRuntime(worker, identity);
    if ("obstacle" in far) continue;
    addresses.push(far.address);
    if (rests) resting.push(far.address);
  }
  return { addresses, resting };
}
