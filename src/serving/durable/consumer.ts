import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import type { Logger } from "pino";
import { messageOf } from "../../common/errors.ts";
import { encodeFrame, FrameKind } from "../runtime/frames.ts";
import type { Refusal } from "../runtime/hello.ts";
import type { ModelSet } from "../runtime/model-set.ts";
import { predict } from "../runtime/server.ts";
import {
  ANSWER,
  CONSUMERS,
  type DurableKeys,
  type Entry,
  encodeEnvelope,
  entriesByStream,
  entriesIn,
  RECOVER,
} from "./protocol.ts";

export interface ConsumerOptions {
  /** Waits for frames; nothing else is asked of it. */
  waiting: Redis;
  /** For everything else. Both wait for a server that is away. */
  commands: Redis;
  keys: DurableKeys;
  /** Names the runtime among the consumers. */
  name: string;
  /** Its id among all hosts' workers. */
  worker: string;
  /** The models whose frames are taken. */
  models: string[];
  set: ModelSet;
  /** A frame that nobody has worked at for so long is taken over. */
  claimMs: number;
  keepAnswersS: number;
  log: Logger;
}

/** A runtime that takes durable frames. */
export interface Consumer {
  /** Takes no more, and answers what it has taken. */
  close(): Promise<void>;
}

/** Frames that are worked at; more stay with the server, where others can take them. */
const MOST_AT_ONCE = 64;
const READ_AT_ONCE = 16;
const WAIT_MS = 250;
/** A frame that so many runtimes went away over is not tried again. */
const MOST_DELIVERIES = 3;
/** A model that is not pure is not called twice: its frames are given up, and late, since whoever had it may still live. */
const IMPURE_CLAIM_FACTOR = 20;

interface Work {
  stream: string;
  model: string;
  entry: Entry;
}

/**
 * Takes the frames of durable models from their streams, computes them together with all that the runtime is asked otherwise, and answers
 * each once. What a runtime that went away has left is taken over.
 */
export function consumeFrames(options: ConsumerOptions): Consumer {
  const { waiting, commands, keys, name, set, claimMs, log } = options;
  const streams = new Map(options.models.map((model) => [keys.frames(model), model]));
  const atWork = new Map<string, Work>();
  const works = new Set<Promise<void>>();
  let closing = false;
  /** When the server was last found again: until then runtimes could not say that they live. */
  let trustedSince = performance.now();

  const take = (work: Work) => {
    const key = `${work.stream} ${work.entry.id}`;
    if (atWork.has(key)) return;
    atWork.set(key, work);
    const done = answer(work).finally(() => {
      atWork.delete(key);
      works.delete(done);
    });
    works.add(done);
  };

  async function answer({ stream, model, entry }: Work, refusal?: Refusal): Promise<void> {
    const { fields, id: place } = entry;
    const id = Number(String(fields.get("i") ?? 0));
    const replies = String(fields.get("r") ?? "");
    const key = String(fields.get("k") ?? "");
    const version = String(fields.get("v") ?? "");
    const served = set.models.find(
      (one) => one.model.name === model && (version === "" ? one.live : one.model.version === version),
    );
    const frame =
      refusal === undefined && served
        ? await predict({ id, slot: served.slot, body: fields.get("b") ?? Buffer.alloc(0) }, set)
        : encodeFrame(FrameKind.failure, id, refusal ?? { reason: "gone", message: "the model does not serve here" });
    const isFinal = refusal !== undefined || isAnswer(frame);
    // nobody hears of it, and so nobody asks again: it is tried once more when it is claimed
    if (!isFinal && replies === "") return;
    const keep = isFinal ? options.keepAnswersS : 0;
    const places = [stream, ...(key === "" ? [] : [key])];
    try {
      const envelope = encodeEnvelope(served && { ...served.model, worker: options.worker }, frame);
      await commands.eval(ANSWER, places.length, ...places, CONSUMERS, place, replies, id, envelope, keep);
    } catch (error) {
      // the entry stays with the server, and whoever claims it answers it
      if (!closing) log.error({ model, reason: messageOf(error) }, "a durable answer could not be given");
    }
  }

  async function ensureConsumers(): Promise<void> {
    for (const stream of streams.keys()) {
      await commands.xgroup("CREATE", stream, CONSUMERS, "0", "MKSTREAM").catch((error: unknown) => {
        if (!messageOf(error).includes("BUSYGROUP")) throw error;
      });
    }
  }

  async function read(): Promise<void> {
    let ready = false;
    while (!closing) {
      try {
        if (!ready) await ensureConsumers();
        ready = true;
        while (atWork.size >= MOST_AT_ONCE) await Promise.race(works);
        const names = [...streams.keys()];
        const reply = await waiting.callBuffer(
          "XREADGROUP",
          ...["GROUP", CONSUMERS, name, "COUNT", READ_AT_ONCE, "BLOCK", WAIT_MS],
          ...["STREAMS", ...names, ...names.map(() => ">")],
        );
        for (const [stream, entries] of entriesByStream(reply)) {
          for (const entry of entries) take({ stream, model: streams.get(stream) as string, entry });
        }
      } catch (error) {
        ready = false; // the server may have come back without the streams
        if (!closing) {
          log.warn({ reason: messageOf(error) }, "durable frames cannot be read");
          await sleep(WAIT_MS);
        }
      }
    }
  }

  async function claim(): Promise<void> {
    if (closing || commands.status !== "ready" || performance.now() - trustedSince < 2 * claimMs) return;
    await commands.call("EVAL", RECOVER, 1, keys.owners, keys.prefix, READ_AT_ONCE);
    for (const [stream, model] of streams) {
      const isPure = set.models.find((one) => one.model.name === model)?.card.pure !== false;
      const idle = isPure ? claimMs : claimMs * IMPURE_CLAIM_FACTOR;
      const reply = (await commands.callBuffer(
        ...(["XAUTOCLAIM", stream, CONSUMERS, name, idle, "0-0", "COUNT", READ_AT_ONCE] as const),
      )) as unknown[];
      for (const entry of entriesIn(reply[1])) {
        const work = { stream, model, entry };
        if (atWork.has(`${stream} ${entry.id}`)) continue;
        if (!isPure) {
          await answer(work, { reason: "lost", message: "the runtime went away while the model may have run" });
        } else if ((await deliveriesOf(stream, entry.id)) > MOST_DELIVERIES) {
          await answer(work, { reason: "failed", message: "several runtimes went away over this question" });
        } else take(work);
      }
    }
  }

  async function deliveriesOf(stream: string, id: string): Promise<number> {
    const [pending] = (await commands.xpending(stream, CONSUMERS, id, id, 1)) as [string, string, number, number][];
    return pending?.[3] ?? 0;
  }

  /** Says that what is worked at is worked at. */
  async function stayAlive(): Promise<void> {
    if (commands.status !== "ready") return;
    for (const stream of streams.keys()) {
      const ids = [...atWork.values()].filter((work) => work.stream === stream).map(({ entry }) => entry.id);
      if (ids.length > 0) await commands.xclaim(stream, CONSUMERS, name, 0, ...ids, "JUSTID");
    }
  }

  commands.on("ready", () => {
    trustedSince = performance.now();
  });
  const regularly = (ms: number, act: () => Promise<void>) => {
    let busy = false;
    return setInterval(() => {
      if (busy) return;
      busy = true;
      act()
        .catch((error: unknown) => !closing && log.warn({ reason: messageOf(error) }, "durable frames"))
        .finally(() => {
          busy = false;
        });
    }, ms).unref();
  };
  const timers = [regularly(claimMs / 2, claim), regularly(claimMs / 5, stayAlive)];
  const reading = read();
  return {
    close: async () => {
      closing = true;
      timers.slice(0, 1).forEach(clearInterval);
      await reading;
      while (works.size > 0) await Promise.all(works);
      timers.forEach(clearInterval);
    },
  };
}

/** Whether asking again would give the same: what was computed, or what the model refuses or fails at. */
function isAnswer(frame: Buffer): boolean {
  if (frame.readUInt32LE(4) === FrameKind.predictions) return true;
  return /"reason":"(invalid|rejected|failed)"/.test(frame.subarray(32, 64).toString());
}
