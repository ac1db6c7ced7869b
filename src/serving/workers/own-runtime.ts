import { cpus } from "node:os";
import type { Logger } from "pino";
import { ownAddress } from "../../common/own-address.ts";
import { type RuntimeGroup, runtimeId, type ServingConfig } from "../config.ts";
import { connectQueue } from "../jobs/connection.ts";
import type { ServableModel } from "../models/verify.ts";
import type { ModelSet } from "../runtime/model-set.ts";
import { keepRegistered } from "./registrar.ts";
import type { RuntimeWorker } from "./registration.ts";
import { redisRegistry } from "./registry.ts";

/** A runtime that other hosts can reach. */
export interface OwnRuntime {
  config: ServingConfig;
  group: RuntimeGroup;
  replica: number;
  /** Where it listens on the network. */
  tcp: { host: string; port: number; tls?: unknown };
  models: ModelSet;
  engine: Pick<ServableModel, "provider" | "runtimeVersion">;
  batchRows: number;
  log: Logger;
}

/**
 * Keeps a runtime registered at the queue's server, where the frontends of other hosts find it.
 * @returns what tells of changed models, and what takes it out before it stops; undefined on a host without a queue
 */
export async function registerRuntime(runtime: OwnRuntime): Promise<ReturnType<typeof keepRegistered> | undefined> {
  const { config, log } = runtime;
  if (config.queue === undefined) return undefined;
  const connection = await connectQueue(config.queue, { blocking: false });
  connection.on("error", (error) => log.debug({ reason: error.message }, "registry")); // a heartbeat that fails tells it
  const { ttlMs, heartbeatMs } = config.workers;
  const registry = redisRegistry(connection, config.queue.prefix);
  const kept = keepRegistered({ registry, worker: () => workerOf(runtime), ttlMs, heartbeatMs, log });
  return {
    renew: kept.renew,
    close: async () => {
      await kept.close();
      connection.disconnect();
    },
  };
}

function workerOf({ config, group, replica, tcp, models, engine, batchRows }: OwnRuntime): RuntimeWorker {
  return {
    kind: "runtime",
    id: runtimeId(config, group.name, replica),
    address: { host: reachable(tcp.host), port: tcp.port, tls: tcp.tls !== undefined },
    group: group.name,
    models: models.models.map(({ model }) => model),
    capabilities: {
      version: config.payload,
      provider: engine.provider,
      ...(engine.provider === "cpu" && cpus()[0] && { device: cpus()[0]?.model }),
      onnxruntime: engine.runtimeVersion,
      threads: group.threads,
      batchRows,
    },
  };
}

/** An address that others reach: a runtime that listens on all has the host's first one. */
function reachable(host: string): string {
  if (host !== "0.0.0.0" && host !== "::") return host;
  return ownAddress() ?? "127.0.0.1";
}
