import { randomUUID } from "node:crypto";
import type { Redis } from "ioredis";
import type { Logger } from "pino";
import { SlipwayError } from "../../common/errors.ts";
import { durableModels, durableSettingsOf, limitsOf, modelLimitsOf, type ServingConfig } from "../config.ts";
import { connectQueue } from "../jobs/connection.ts";
import { type AskedRouter, withPredict } from "../routing/asked-router.ts";
import { RuntimeError, type ServedModel } from "../routing/question.ts";
import type { ModelSet } from "../runtime/model-set.ts";
import type { RuntimeServerOptions } from "../runtime/server.ts";
import { AcceptanceLog } from "./acceptance-log.ts";
import { type Consumer, consumeFrames } from "./consumer.ts";
import { warnUnlessServerIsDurable } from "./durability.ts";
import { KeptAnswers } from "./kept-answers.ts";
import { durableKeys } from "./protocol.ts";
import { Recorder } from "./recorder.ts";
import { StreamRouter } from "./stream-router.ts";

/**
 * The router of a frontend: what durable models are asked is on disk at the queue's server before it is answered. What a pure model is asked may
 * be computed twice without anybody noticing: the runtime that is asked writes it down while it computes ({@link recordDurably}), or the
 * frontend where it has a key. What another is asked goes by way of a stream, from which one runtime takes it.
 * @throws SlipwayError E_CONFIG_INVALID where models are durable and there is no queue
 */
export async function durably(
  router: AskedRouter,
  config: ServingConfig,
  log: Logger,
): Promise<{ router: AskedRouter; close: () => Promise<void> }> {
  const names = new Set(durableModels(config));
  if (names.size === 0) return { router, close: async () => undefined };
  const queue = requireQueue(config);
  const waiting = await connect(queue, { blocking: true }, log);
  const commands = await connect(queue, { blocking: false }, log);
  warnUnlessServerIsDurable(commands, log);
  const { streamFrames, keepAnswersS, claimMs } = durableSettingsOf(config);
  const common = {
    commands,
    keys: durableKeys(queue.prefix),
    owner: randomUUID(),
    router,
    keepAnswersS,
    deadlineOf: (model: string) => modelLimitsOf(config, model).deadlineMs,
    versionOf: ({ model }: ServedModel) =>
      router.find(model.name)?.model.version === model.version ? "" : model.version,
  };
  const accepted = new AcceptanceLog({ ...common, mostEntries: streamFrames, leaseMs: FRONTEND_CLAIMS * claimMs });
  const kept = new KeptAnswers({ ...common, log: accepted });
  const streams = new StreamRouter({ ...common, waiting, inFlightRows: limitsOf(config).inFlightRows, streamFrames });
  const explained = (error: unknown): never => {
    const isLate = error instanceof RuntimeError && error.reason === "deadline";
    if (isLate && commands.status !== "ready") throw new RuntimeError("unavailable", "the queue is away");
    throw error;
  };
  return {
    router: withPredict(router, (served, inputs, terms) => {
      if (!names.has(served.model.name)) return router.predict(served, inputs, terms);
      if (served.card.pure === false) return streams.predict(served, inputs, terms);
      if (terms?.key !== undefined) return kept.predict(served, inputs, terms.key, terms);
      return router.predict(served, inputs, terms).catch(explained);
    }),
    close: async () => {
      streams.close();
      await accepted.close();
      waiting.disconnect();
      commands.disconnect();
    },
  };
}

/** A process counts as gone after so many times what a runtime does over a frame. Somebody may wait for what a frontend has accepted. */
const FRONTEND_CLAIMS = 2;
/** Whoever asked a runtime asks another one by himself, and a long computation keeps a runtime from saying that it lives. */
const RUNTIME_CLAIMS = 20;

/** The durable side of a runtime. */
export interface DurableRuntime {
  /** Stands around the computation of what it is asked directly. */
  answering: NonNullable<RuntimeServerOptions["answering"]>;
  /** Takes frames from now on. */
  start: () => void;
  /** Takes no more, and answers what it has taken; the end when what it was asked directly is answered, too. */
  close: (answered: Promise<void>) => Promise<void>;
}

/** Has a runtime write down what it is asked, and take the frames, of those durable models that it serves. Undefined where there are none. */
export async function serveDurably(
  set: ModelSet,
  serves: (model: string) => boolean,
  config: ServingConfig,
  worker: string,
  log: Logger,
): Promise<DurableRuntime | undefined> {
  const models = durableModels(config).filter(serves);
  if (models.length === 0) return undefined;
  const queue = requireQueue(config);
  const { claimMs, keepAnswersS, streamFrames } = durableSettingsOf(config);
  const keys = durableKeys(queue.prefix);
  const owner = randomUUID();
  const recording = await connect(queue, { blocking: false }, log);
  const [waiting, commands] = [
    await connect(queue, { blocking: true }, log),
    await connect(queue, { blocking: true }, log),
  ];
  const leaseMs = RUNTIME_CLAIMS * claimMs;
  const accepted = new AcceptanceLog({
    commands: recording,
    keys,
    owner,
    mostEntries: streamFrames,
    keepAnswersS,
    leaseMs,
  });
  const recorder = new Recorder({
    log: accepted,
    set,
    isDurable: (model) => models.includes(model),
    patienceOf: (model) => modelLimitsOf(config, model).deadlineMs,
    isReady: () => recording.status === "ready",
  });
  let consumer: Consumer | undefined;
  return {
    answering: (question, compute) => recorder.answer(question, compute),
    start: () => {
      consumer = consumeFrames({
        waiting,
        commands,
        keys,
        name: owner,
        worker,
        models,
        set,
        claimMs,
        keepAnswersS,
        log,
      });
    },
    close: async (answered) => {
      await Promise.all([consumer?.close(), answered]);
      await accepted.close();
      for (const connection of [recording, waiting, commands]) connection.disconnect();
    },
  };
}

async function connect(
  queue: Parameters<typeof connectQueue>[0],
  mode: { blocking: boolean },
  log: Logger,
): Promise<Redis> {
  const connection = await connectQueue(queue, mode);
  return connection.on("error", (error) => log.warn({ reason: error.message }, "connection of durable models"));
}

function requireQueue({ queue }: ServingConfig): NonNullable<ServingConfig["queue"]> {
  if (queue) return queue;
  throw new SlipwayError("E_CONFIG_INVALID", "serving.json: models are durable and there is no queue", {
    hint: "Give the host the queue role, or make the models not durable.",
  });
}
