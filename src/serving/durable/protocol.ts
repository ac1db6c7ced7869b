import { createHash } from "node:crypto";
import { z } from "zod";
import { identitySchema, type ModelIdentity } from "../models/registry.ts";
import { type Frame, FrameError, FrameReader, jsonIn } from "../runtime/frames.ts";

/**
 * The durable way between frontends and runtimes, in Redis:
 *
 *     frames:<model>     stream: r reply stream · i id · v version or empty · b tensors' bytes · k key of the kept answer or empty
 *     replies:<frontend> stream: i id · b envelope
 *     answer:<digest>    text `pending`, or the envelope of the answer that was given for an idempotency key
 *
 * An entry is in its stream until it is answered: the stream's length is what is under way.
 */
const PREFIX = "slipway:durable";

/** The consumers of all frames: every runtime that serves the model. */
export const CONSUMERS = "runtimes";
export const PENDING = "pending";

export function framesStream(model: string): string {
  return `${PREFIX}:frames:${model}`;
}

export function repliesStream(frontend: string): string {
  return `${PREFIX}:replies:${frontend}`;
}

/** Where the answer for a caller's key is kept. The key itself, free text, is not written down. */
export function answerKey(model: string, key: string): string {
  return `${PREFIX}:answer:${createHash("sha256").update(`${model}\n${key}`).digest("hex")}`;
}

/**
 * Takes a frame, unless too many are under way or its key is known.
 * KEYS frames [answer] · ARGV most frames, reply stream, id, version, body, seconds to keep the key.
 * Answers `taken`, `full`, or what is kept for the key.
 */
export const ACCEPT = `
if KEYS[2] then
  local known = redis.call('GET', KEYS[2])
  if known then return known end
end
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[1]) then return 'full' end
if KEYS[2] then redis.call('SET', KEYS[2], '${PENDING}', 'EX', ARGV[6]) end
redis.call('XADD', KEYS[1], '*', 'r', ARGV[2], 'i', ARGV[3], 'v', ARGV[4], 'b', ARGV[5], 'k', KEYS[2] or '')
return 'taken'`;

/**
 * Answers an entry, once: whoever comes second changes nothing.
 * KEYS frames, replies [answer] · ARGV consumers, entry, id, envelope, seconds to keep the answer (0: forget the key).
 */
export const ANSWER = `
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
redis.call('XDEL', KEYS[1], ARGV[2])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 10000, '*', 'i', ARGV[3], 'b', ARGV[4])
redis.call('EXPIRE', KEYS[2], 120)
if KEYS[3] then
  if ARGV[5] == '0' then redis.call('DEL', KEYS[3]) else redis.call('SET', KEYS[3], ARGV[4], 'EX', ARGV[5]) end
end
return 1`;

const senderSchema = identitySchema.extend({ worker: z.string().optional() });

/** Whose answer it is: the model's, by a runtime. */
type Sender = ModelIdentity & { worker?: string | undefined };

/** An answer's frame with the model that it is from; without one where there was none. */
export function encodeEnvelope(model: Sender | undefined, frame: Uint8Array): Buffer {
  const head = Buffer.from(JSON.stringify(model ?? null));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(head.length);
  return Buffer.concat([length, head, frame]);
}

/** What an envelope holds. Throws {@link FrameError}. */
export function openEnvelope(bytes: Buffer): {
  model: ModelIdentity | undefined;
  worker: string | undefined;
  frame: Frame;
} {
  const end = bytes.length < 4 ? Number.POSITIVE_INFINITY : 4 + bytes.readUInt32LE(0);
  if (end > bytes.length) throw new FrameError("an envelope is cut off");
  const { worker, ...model } = senderSchema.nullable().parse(jsonIn(bytes.subarray(4, end))) ?? {};
  const [frame] = new FrameReader().push(bytes.subarray(end));
  if (!frame) throw new FrameError("an envelope holds no frame");
  return { model: "digest" in model ? model : undefined, worker, frame };
}

/** An entry of a stream as Redis answers it. */
export interface Entry {
  id: string;
  fields: Map<string, Buffer>;
}

/** The entries of a reply to XREAD or XREADGROUP, stream by stream. In RESP3 it is a map, told as names and lists in turn. */
export function entriesByStream(reply: unknown): [string, Entry[]][] {
  const list = (reply ?? []) as unknown[];
  const flat = Buffer.isBuffer(list[0]) ? list : list.flat(1);
  return Array.from({ length: flat.length / 2 }, (_, at) => [String(flat[2 * at]), entriesIn(flat[2 * at + 1])]);
}

/** The entries of a list. One that was deleted meanwhile has no fields and is left out. */
export function entriesIn(list: unknown): Entry[] {
  return ((list ?? []) as [Buffer, Buffer[] | null][]).flatMap(([id, fields]) => {
    if (!fields) return [];
    const pairs = new Map<string, Buffer>();
    for (let at = 0; at + 1 < fields.length; at += 2) pairs.set(String(fields[at]), fields[at + 1] as Buffer);
    return [{ id: String(id), fields: pairs }];
  });
}
