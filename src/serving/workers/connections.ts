import { Redis } from "ioredis";
import type { Logger } from "pino";
import type { ServingConfig } from "../config.ts";
import { connectQueue, queueOptions } from "../jobs/connection.ts";

/** How the registry is reached; both connections are closed by who uses them. */
export interface RegistryConnections {
  /** For asking: fails at once while the server is away. */
  connection: Redis;
  /** For hearing of changes: waits for a server that is away. */
  listening: Redis;
  /** What the installation's keys begin with. */
  prefix: string;
}

/** Connections to the queue's server, where the registry is. */
export async function registryConnections(
  queue: NonNullable<ServingConfig["queue"]>,
  log: Pick<Logger, "debug">,
): Promise<RegistryConnections> {
  const connection = await connectQueue(queue, { blocking: false });
  const listening = new Redis(await queueOptions(queue, { blocking: true }));
  // whoever asks is told, too
  for (const one of [connection, listening])
    one.on("error", (error) => log.debug({ reason: error.message }, "registry"));
  return { connection, listening, prefix: queue.prefix };
}
