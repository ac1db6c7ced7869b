import { createHash } from "node:crypto";
import { z } from "zod";
import { identitySchema, type ModelIdentity } from "../models/registry.ts";
import { type Frame, FrameError, FrameReader, jsonIn } from "../runtime/frames.ts";

/**
 * The durable way between frontends and runtimes, in Redis; all keys begin with the queue's prefix and `:durable`:
 *
 *     owners              sorted set: the id of a process by the server's milliseconds until which it counts as living
 *     accepted:<owner>    stream, ids n-0: m model · v version or empty · k key of the kept answer or empty · b tensors' bytes
 *     frames:<model>      stream: r reply stream or empty · i id · v · k · b as above
 *     replies:<frontend>  stream: i id · b envelope
 *     answer:<digest>     text {@link pendingMark}, or the envelope of the answer that was given for an idempotency key
 *
 * What a pure model is asked stands in `accepted` until it is answered, of the runtime that computes it meanwhile, or of the frontend where it
 * has a key; of one that is gone it is moved to `frames`. What another model is asked goes to `frames` at once, where one runtime takes it.
 * An entry is in its stream until it is answered: a stream's length is what is under way.
 */
export interface DurableKeys {
  prefix: string;
  owners: string;
  accepted: (owner: string) => string;
  frames: (model: string) => string;
  replies: (frontend: string) => string;
  /** Where the answer for a caller's key is kept. The key itself, free text, is not written down. */
  answer: (model: string, key: string) => string;
}

/** The names of an installation's keys. */
export function durableKeys(queuePrefix: string): DurableKeys {
  const prefix = `${queuePrefix}:durable`;
  return {
    prefix,
    owners: `${prefix}:owners`,
    accepted: (owner) => `${prefix}:accepted:${owner}`,
    frames: (model) => `${prefix}:frames:${model}`,
    replies: (frontend) => `${prefix}:replies:${frontend}`,
    answer: (model, key) => `${prefix}:answer:${createHash("sha256").update(`${model}\n${key}`).digest("hex")}`,
  };
}

/** The consumers of all frames: every runtime that serves the model. */
export const CONSUMERS = "runtimes";

const PENDING = "pending";

/** Stands for an answer that is to come, and says what entry it is the answer to. */
export function pendingMark(entry: string): string {
  return `${PENDING} ${entry}`;
}

/** Whether this stands for an answer that is to come. An envelope begins with a length, which no such text spells. */
export function isPending(kept: Buffer): boolean {
  return kept.subarray(0, PENDING.length).toString() === PENDING;
}

/**
 * Takes a frame of a model that is not pure, unless too many are under way or its key is known.
 * KEYS frames [answer] · ARGV most frames, reply stream, id, version, body, seconds to keep the key.
 * Answers `taken`, `full`, or what is kept for the key.
 */
export const TAKE = `
if KEYS[2] then
  local known = redis.call('GET', KEYS[2])
  if known then return known end
end
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[1]) then return 'full' end
if KEYS[2] then redis.call('SET', KEYS[2], '${PENDING}', 'EX', ARGV[6]) end
redis.call('XADD', KEYS[1], '*', 'r', ARGV[2], 'i', ARGV[3], 'v', ARGV[4], 'b', ARGV[5], 'k', KEYS[2] or '')
return 'taken'`;

/**
 * Answers an entry of `frames`, once: whoever comes second changes nothing, and an answer that is kept already is the answer.
 * KEYS frames [answer] · ARGV consumers, entry, reply stream or empty, id, envelope, seconds to keep the answer (0: forget the key).
 */
export const ANSWER = `
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
redis.call('XDEL', KEYS[1], ARGV[2])
local envelope = ARGV[5]
if KEYS[2] then
  local known = redis.call('GET', KEYS[2])
  if known and string.sub(known, 1, ${PENDING.length}) ~= '${PENDING}' then envelope = known
  elseif ARGV[6] == '0' then redis.call('DEL', KEYS[2])
  else redis.call('SET', KEYS[2], envelope, 'EX', ARGV[6]) end
end
if ARGV[3] ~= '' then
  redis.call('XADD', ARGV[3], 'MAXLEN', '~', 10000, '*', 'i', ARGV[4], 'b', envelope)
  redis.call('EXPIRE', ARGV[3], 120)
end
return 1`;

const senderSchema = identitySchema.extend({ worker: z.string().optional() });

/** Whose answer it is: the model's, by a runtime. */
type Sender = ModelIdentity & { worker?: string | undefined };
/**
 * Writes down a question with a key, unless the key is known.
 * KEYS accepted, answer · ARGV entry, mark, seconds to keep the key, model, version, body.
 * Answers `taken` or what is kept for the key.
 */
export const ACCEPT_KEYED = `
local known = redis.call('GET', KEYS[2])
if known then return known end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
redis.call('XADD', KEYS[1], ARGV[1], 'm', ARGV[4], 'v', ARGV[5], 'k', KEYS[2], 'b', ARGV[6])
return 'taken'`;

/**
 * Keeps the answer to an entry of `accepted`, unless another one is kept by now: then that is the answer.
 * KEYS accepted, answer · ARGV entry, mark, envelope, seconds to keep it (0: forget the key). Answers `kept` or what is kept.
 */
export const SETTLE = `
redis.call('XDEL', KEYS[1], ARGV[1])
local known = redis.call('GET', KEYS[2])
if known and known ~= ARGV[2] and known ~= ARGV[3] then return known end
if ARGV[4] == '0' then redis.call('DEL', KEYS[2]) else redis.call('SET', KEYS[2], ARGV[3], 'EX', ARGV[4]) end
return 'kept'`;

/** A process lives. KEYS owners · ARGV owner, milliseconds for which it counts as living from now on. */
export const LIVE = `
local now = redis.call('TIME')
redis.call('ZADD', KEYS[1], now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[2], ARGV[1])`;

/** Moves what was accepted to where runtimes take it; nobody waits for a reply. */
const MOVE = `
local function move(accepted, entries, prefix)
  for _, entry in ipairs(entries) do
    local value = {}
    for at = 1, #entry[2], 2 do value[entry[2][at]] = entry[2][at + 1] end
    redis.call('XADD', prefix .. ':frames:' .. value.m, '*', 'r', '', 'i', '0', 'v', value.v, 'b', value.b, 'k', value.k)
    redis.call('XDEL', accepted, entry[1])
  end
  return #entries
end`;

/** Has runtimes answer some of a process's entries. KEYS accepted · ARGV prefix, entries … */
export const HAND_OVER = `${MOVE}
for at = 2, #ARGV do move(KEYS[1], redis.call('XRANGE', KEYS[1], ARGV[at], ARGV[at]), ARGV[1]) end`;

/**
 * Has runtimes answer what processes that are gone have accepted, a part of it at a time.
 * KEYS owners · ARGV prefix, most entries. Answers how many were moved.
 */
export const RECOVER = `${MOVE}
local now = redis.call('TIME')
local gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now[1] * 1000 + math.floor(now[2] / 1000), 'LIMIT', 0, 1)[1]
if not gone then return 0 end
local accepted = ARGV[1] .. ':accepted:' .. gone
local moved = move(accepted, redis.call('XRANGE', accepted, '-', '+', 'COUNT', ARGV[2]), ARGV[1])
if moved < tonumber(ARGV[2]) then redis.call('ZREM', KEYS[1], gone) redis.call('DEL', accepted) end
return moved`;

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
