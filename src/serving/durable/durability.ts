import type { Redis } from "ioredis";
import type { Logger } from "pino";
import { messageOf } from "../../common/errors.ts";

/** What a queue's server must be told so that nothing which it has taken is lost with it. */
const durableSettings = { appendonly: "yes", appendfsync: "always" };

/**
 * Warns, at each connection, where the queue's server does not write each change to its disk before it answers: what durable models were
 * asked is lost then with a server that ends in the wrong moment. A managed server may not tell.
 */
export function warnUnlessServerIsDurable(connection: Redis, log: Logger): void {
  const look = async () => {
    const settings = await Promise.all(Object.keys(durableSettings).map((name) => connection.config("GET", name)));
    const told = Object.fromEntries(settings.map((pair) => pair as [string, string]));
    const wanted = Object.entries(durableSettings).filter(([name, value]) => told[name] !== value);
    if (wanted.length === 0) return;
    const is = wanted.map(([name]) => `${name} ${told[name]}`).join(", ");
    const shall = wanted.map((setting) => setting.join(" ")).join(", ");
    log.warn({ is, shall }, "models are durable, and the queue's server may lose what it has taken");
  };
  const tell = () =>
    void look().catch((error: unknown) =>
      log.warn({ reason: messageOf(error) }, "models are durable, and the queue's server does not tell whether it is"),
    );
  connection.on("ready", tell);
  if (connection.status === "ready") tell();
}
