import { type handleBidiStreamingCall, type handleUnaryCall, type Metadata, status } from "@grpc/grpc-js";
import type { Role } from "../access/roles.ts";
import { CANARY_HEADER } from "../canary-header.ts";
import { type Access, callerWith, entryOfBearer } from "../frontend/auth.ts";
import type { FrontendSettings } from "../frontend/config.ts";
import { HttpError } from "../frontend/errors.ts";
import type { CountHit } from "../frontend/guards.ts";
import { requireKey } from "../frontend/idempotency.ts";
import type { Fields, Message, Values } from "./codec.ts";
import { type Failure, failureOf } from "./status.ts";

/** What stands before every call. */
export interface Guards {
  access: Pick<Access, "tokens">;
  settings: Pick<FrontendSettings, "rateLimit" | "requestsInFlight">;
  hit: CountHit;
  /** A defect of ours. */
  onDefect: (method: string, error: unknown) => void;
}

/** What a handler knows of its call. */
export interface CallContext {
  /** Milliseconds that the client waits still; infinite for one that does not say. */
  timeoutMs: number;
  /** Of the metadata `idempotency-key`. */
  key: string | undefined;
  /** Whether the version on trial answers, as the caller decides it. */
  canary: unknown;
}

/** How a method is called: messages come and go as bytes, so that what is wrong with them is told as the caller's mistake. */
export interface Method {
  path: string;
  requestStream: boolean;
  responseStream: boolean;
  requestSerialize: (bytes: Buffer) => Buffer;
  requestDeserialize: (bytes: Buffer) => Buffer;
  responseSerialize: (bytes: Buffer) => Buffer;
  responseDeserialize: (bytes: Buffer) => Buffer;
}

const same = (bytes: Buffer): Buffer => bytes;

export function methodAt(path: string, stream: { request?: boolean; response?: boolean } = {}): Method {
  return {
    path,
    requestStream: stream.request === true,
    responseStream: stream.response === true,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}

/** A call as far as guards and handlers see it. */
interface Call {
  metadata: Metadata;
  getPeer(): string;
  getDeadline(): Date | number;
}

/** Makes calls' handlers, which all pass the same guards. */
export class Calls {
  readonly #guards: Guards;
  #open = 0;

  constructor(guards: Guards) {
    this.#guards = guards;
  }

  /** A handler of one question and one answer. */
  unary<Q extends Fields, A extends Fields>(
    method: string,
    role: Role | "public",
    question: Message<Q>,
    answer: Message<A>,
    handle: (question: Values<Q>, context: CallContext) => Partial<Values<A>> | Promise<Partial<Values<A>>>,
  ): handleUnaryCall<Buffer, Buffer> {
    return (call, callback) => {
      this.#guarded(role, call, async () =>
        answer.encode(await handle(question.decode(plain(call.request)), contextOf(call))),
      ).then(
        (bytes) => callback(null, bytes),
        (error: unknown) => callback(this.failure(method, error)),
      );
    };
  }

  /** A handler of questions that are answered in their order, several of them at work at a time. `answer` never rejects. */
  stream(
    method: string,
    role: Role,
    answer: (bytes: Uint8Array, context: CallContext) => Promise<Buffer>,
  ): handleBidiStreamingCall<Buffer, Buffer> {
    return (call) => {
      this.#guarded(role, call, async () => {
        let open = 0;
        let writing = Promise.resolve();
        for await (const bytes of call) {
          const answered = answer(plain(bytes as Buffer), contextOf(call));
          open++;
          writing = writing.then(async () => {
            const written = call.write(await answered);
            open--;
            if (!written && !call.cancelled) await drained(call);
          });
          if (open >= MOST_AT_WORK) await writing;
        }
        await writing;
      }).then(
        () => call.end(),
        (error: unknown) => {
          if (!call.cancelled) call.emit("error", this.failure(method, error));
        },
      );
    };
  }

  /** Does the work if the caller may have it done now. Throws HttpError. */
  async #guarded<T>(role: Role | "public", call: Call, work: () => Promise<T>): Promise<T> {
    if (role === "public") return work();
    const { access, settings, hit } = this.#guards;
    if (this.#open >= settings.requestsInFlight) {
      throw new HttpError(503, "OVERLOADED", `${this.#open} calls are under way`);
    }
    this.#open++;
    try {
      const caller = callerOf(call.metadata, access, role);
      const { rateLimit } = settings;
      if (rateLimit) {
        const who = access.tokens ? `token ${caller.name}` : call.getPeer().replace(/:\d+$/, "");
        const { current } = await hit(` ${who}`, rateLimit.seconds * 1000);
        if (current > rateLimit.requests) throw new HttpError(429, "RATE_LIMITED", "too many requests");
      }
      return await work();
    } finally {
      this.#open--;
    }
  }

  failure(method: string, error: unknown): Failure {
    const failure = failureOf(error);
    if (failure.code === status.INTERNAL) this.#guards.onDefect(method, error);
    return failure;
  }
}

/** Questions of one stream that are at work at a time. */
const MOST_AT_WORK = 64;

function callerOf(metadata: Metadata, access: Pick<Access, "tokens">, role: Role) {
  const [authorization] = metadata.get("authorization");
  const find = (tokens: NonNullable<Access["tokens"]>) =>
    authorization === undefined ? undefined : entryOfBearer(authorization.toString(), tokens);
  return callerWith(access, find, authorization !== undefined, role);
}

function contextOf(call: Call): CallContext {
  const deadline = call.getDeadline();
  return {
    timeoutMs: Math.max(0, Number(deadline) - Date.now()),
    key: keyOf(call.metadata),
    canary: canaryOf(call.metadata),
  };
}

/** Of several values none counts. */
function canaryOf(metadata: Metadata): unknown {
  const decided = metadata.get(CANARY_HEADER);
  return decided.length > 1 ? decided : decided[0];
}

/** Throws HttpError 400. */
function keyOf(metadata: Metadata): string | undefined {
  return requireKey(metadata.get("idempotency-key")[0]?.toString());
}

function drained(call: { once(event: "drain" | "cancelled", then: () => void): unknown }): Promise<void> {
  return new Promise((resolve) => {
    call.once("drain", resolve);
    call.once("cancelled", resolve);
  });
}

/** The same bytes, of which views are plain arrays. */
function plain(bytes: Buffer): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
