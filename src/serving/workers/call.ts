import { Agent, type IncomingMessage, request } from "node:http";
import { isIP } from "node:net";
import { messageOf } from "../../common/errors.ts";
import type { AddressGuard } from "./networks.ts";
import type { HttpWorker } from "./registration.ts";

/** What a worker answered: status, content type, and no more of the body than is read. */
export interface RawAnswer {
  status: number;
  contentType: string;
  retryAfter: number | undefined;
  body: Buffer;
}

/**
 * Why there is no answer. `refused`: the address may not be asked. `connect`: the call is known not to have begun. `timeout`: no whole
 * answer in time. `broken`: the connection ended, or what came is not HTTP. `size`: more bytes than are read. `cancelled`: by the caller.
 */
export type CallFailure = "refused" | "connect" | "timeout" | "broken" | "size" | "cancelled";

export class CallError extends Error {
  override readonly name = "CallError";
  readonly reason: CallFailure;

  constructor(reason: CallFailure, message: string) {
    super(message);
    this.reason = reason;
  }
}

export interface CallOptions {
  method: "GET" | "POST";
  path: string;
  body?: Buffer;
  /** For all of it, in milliseconds. */
  timeoutMs: number;
  connectMs: number;
  answerBytes: number;
  signal?: AbortSignal;
}

/** Asks workers by HTTP. Redirects are answers like others: nobody is sent elsewhere by a worker. */
export class WorkerCaller {
  readonly #guard: AddressGuard;
  readonly #agent: Agent;

  constructor(guard: AddressGuard) {
    this.#guard = guard;
    this.#agent = new Agent({ keepAlive: true, maxFreeSockets: 16, timeout: IDLE_MS });
  }

  /** One call. Rejects with {@link CallError}. */
  async call(worker: Pick<HttpWorker, "host" | "port" | "token" | "pure">, options: CallOptions): Promise<RawAnswer> {
    const refusal = isIP(worker.host) ? this.#guard.refusalOf(worker.host) : undefined;
    if (refusal !== undefined) throw new CallError("refused", refusal);
    const started = performance.now();
    const first = await this.#try(worker, options, options.timeoutMs);
    if (first !== "stale") return first;
    // a connection that was kept open ended as it was used again: the call was not heard
    const again = await this.#try(worker, options, options.timeoutMs - (performance.now() - started));
    if (again !== "stale") return again;
    throw new CallError("broken", "the connection ended before an answer");
  }

  close(): void {
    this.#agent.destroy();
  }

  #try(
    { host, port, token, pure }: Pick<HttpWorker, "host" | "port" | "token" | "pure">,
    { method, path, body, connectMs, answerBytes, signal }: CallOptions,
    timeoutMs: number,
  ): Promise<RawAnswer | "stale"> {
    return new Promise((resolve, reject) => {
      let connected = false;
      let answered = false;
      const asked = request({
        host,
        port,
        method,
        path,
        lookup: this.#guard.lookup,
        // of a call that must not happen twice nobody could tell whether a connection that was kept had heard it
        agent: pure ? this.#agent : false,
        headers: {
          accept: "application/json",
          "user-agent": "slipway",
          ...(body && { "content-type": "application/json", "content-length": body.length }),
          ...(token !== undefined && { authorization: `Token ${token}` }),
        },
      });
      const timers = [
        setTimeout(
          () => end(new CallError(connected ? "timeout" : "connect", `no answer within ${Math.round(timeoutMs)} ms`)),
          timeoutMs,
        ),
        setTimeout(() => {
          if (!connected) end(new CallError("connect", `no connection within ${connectMs} ms`));
        }, connectMs),
      ];
      const cancel = () => end(new CallError("cancelled", "the caller went away"));
      const settle = () => {
        for (const timer of timers) clearTimeout(timer);
        signal?.removeEventListener("abort", cancel);
      };
      const end = (error: CallError) => {
        settle();
        reject(error);
        asked.destroy();
      };
      signal?.addEventListener("abort", cancel, { once: true });
      if (signal?.aborted) cancel();
      asked.on("socket", (socket) => {
        connected = !socket.connecting;
        socket.once("connect", () => {
          connected = true;
        });
      });
      asked.on("error", (error: NodeJS.ErrnoException) => {
        settle();
        const isStale = asked.reusedSocket && !answered && (error.code === "ECONNRESET" || error.code === "EPIPE");
        if (isStale) return resolve("stale");
        const refused = error.code === "EADDRREFUSED";
        reject(new CallError(refused ? "refused" : connected ? "broken" : "connect", messageOf(error)));
      });
      asked.on("response", (answer) => {
        answered = true;
        collect(answer, answerBytes).then((bytes) => {
          settle();
          resolve({
            status: answer.statusCode ?? 0,
            contentType: answer.headers["content-type"] ?? "",
            retryAfter: secondsIn(answer.headers["retry-after"]),
            body: bytes,
          });
        }, end);
      });
      asked.end(body);
    });
  }
}

/** After so long an idle connection is closed: shorter than servers keep theirs. */
const IDLE_MS = 3000;

/** The body. Rejects with {@link CallError} as soon as it is too long, and when it ends too soon. */
function collect(answer: IncomingMessage, most: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const tooMuch = () => reject(new CallError("size", `the answer has more than ${most} bytes`));
    if (Number(answer.headers["content-length"] ?? 0) > most) return tooMuch();
    answer.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > most) tooMuch();
      else chunks.push(chunk);
    });
    answer.on("end", () => resolve(Buffer.concat(chunks)));
    answer.on("error", (error) => reject(new CallError("broken", messageOf(error))));
    answer.on("close", () => {
      if (!answer.complete) reject(new CallError("broken", "the answer ended before its end"));
    });
  });
}

function secondsIn(header: string | undefined): number | undefined {
  const seconds = Number(header);
  return Number.isInteger(seconds) && seconds >= 0 && seconds <= 3600 ? seconds : undefined;
}
