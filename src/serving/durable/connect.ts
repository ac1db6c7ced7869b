import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import { SlipwayError } from "../../common/errors.ts";
import { durableModels, durableSettingsOf, limitsOf, modelLimitsOf, type ServingConfig } from "../config.ts";
import { connectQueue } from "../jobs/connection.ts";
import { type AskedRouter, withPredict } from "../routing/asked-router.ts";
import type { Router } from "../routing/router.ts";
import type { ModelSet } from "../runtime/model-set.ts";
import { type Consumer, consumeFrames } from "./consumer.ts";
import { DurableRouter } from "./router.ts";

/**
 * The router of a frontend: questions to durable models go by way of the queue's server, all others to the runtimes themselves.
 * @throws SlipwayError E_CONFIG_INVALID where models are durable and there is no queue
 */
export async function durably(
  router: Router,
  config: ServingConfig,
  log: Logger,
): Promise<{ router: AskedRouter; close: () => void }> {
  const names = new Set(durableModels(config));
  if (names.size === 0) return { router, close: () => undefined };
  const queue = requireQueue(config);
  const [waiting, commands] = [
    await connectQueue(queue, { blocking: true }),
    await connectQueue(queue, { blocking: false }),
  ];
  for (const connection of [waiting, commands]) {
    connection.on("error", (error) => log.warn({ reason: error.message }, "connection of durable models"));
  }
  const { streamFrames, keepAnswersS } = durableSettingsOf(config);
  const durable = new DurableRouter({
    waiting,
    commands,
    deadlineOf: (model) => modelLimitsOf(config, model).deadlineMs,
    inFlightRows: limitsOf(config).inFlightRows,
    streamFrames,
    keepAnswersS,
  });
  return {
    router: withPredict(router, (served, inputs, terms) =>
      names.has(served.model.name) ? durable.predict(served, inputs, terms) : router.predict(served, inputs, terms),
    ),
    close: () => durable.close(),
  };
}

/** Has a runtime take the frames of those durable models that it serves. Undefined where there are none. */
export async function takeDurably(
  set: ModelSet,
  serves: (model: string) => boolean,
  config: ServingConfig,
  worker: string,
  log: Logger,
): Promise<Consumer | undefined> {
  const models = durableModels(config).filter(serves);
  if (models.length === 0) return undefined;
  const queue = requireQueue(config);
  const connect = async () => {
    const connection = await connectQueue(queue, { blocking: true });
    return connection.on("error", (error) => log.warn({ reason: error.message }, "connection of durable models"));
  };
  const { claimMs, keepAnswersS } = durableSettingsOf(config);
  const [waiting, commands] = [await connect(), await connect()];
  return consumeFrames({ waiting, commands, name: randomUUID(), worker, models, set, claimMs, keepAnswersS, log });
}

function requireQueue({ queue }: ServingConfig): NonNullable<ServingConfig["queue"]> {
  if (queue) return queue;
  throw new SlipwayError("E_CONFIG_INVALID", "serving.json: models are durable and there is no queue", {
    hint: "Give the host the queue role, or make the models not durable.",
  });
}
