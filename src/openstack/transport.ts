import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { BlockList, isIP } from "node:net";
import type { Readable } from "node:stream";
import type { TlsSettings } from "./credentials.ts";

/** What is sent: text, bytes, or a function that opens a stream (called again for each attempt). */
export type RequestBody = string | Uint8Array | (() => Readable);

/** One HTTP exchange to make. */
interface Exchange {
  method: string;
  url: URL;
  headers: Record<string, string>;
  body?: RequestBody;
  /** Milliseconds from start to the last byte of the answer. */
  timeoutMs: number;
  signal?: AbortSignal;
}

/** An HTTP answer, read to its end. Header names in lower case. */
export interface RawAnswer {
  status: number;
  headers: Record<string, string>;
  bytes: Buffer;
}

/** No answer came: refused, reset, name unknown, TLS failure, or too slow. `code` is Node's, or `TIMEOUT`. */
export class TransportError extends Error {
  override readonly name = "TransportError";
  readonly code: string;
  /** True where the request cannot have reached the service. */
  readonly notSent: boolean;

  constructor(method: string, url: URL, code: string, reason: string, notSent: boolean) {
    super(`${method} ${url.origin}${url.pathname}: ${reason}`);
    this.code = code;
    this.notSent = notSent;
  }
}

/** Makes HTTP exchanges over kept connections. */
export interface Transport {
  exchange(exchange: Exchange): Promise<RawAnswer>;
  close(): void;
}

const notSentCodes = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"]);

/**
 * A transport of node:http(s), which unlike `fetch` takes a CA, a client certificate and a deadline per call. HTTP_PROXY,
 * HTTPS_PROXY and NO_PROXY are honoured, except for addresses of this machine and of private networks: the embedded cloud's.
 */
export function createTransport(tls: TlsSettings, env: NodeJS.ProcessEnv = process.env): Transport {
  const secure = {
    rejectUnauthorized: tls.verify,
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
  };
  const agents = new Map<string, HttpAgent>();
  const agentFor = (url: URL): HttpAgent => {
    const options = { keepAlive: true, ...(isPrivate(url.hostname) ? {} : { proxyEnv: env }) };
    const key = `${url.protocol} ${"proxyEnv" in options}`;
    const made =
      agents.get(key) ??
      (url.protocol === "https:" ? new HttpsAgent({ ...options, ...secure }) : new HttpAgent(options));
    agents.set(key, made);
    return made;
  };
  return {
    exchange: (exchange) => exchangeOnce(exchange, agentFor(exchange.url)),
    close: () => {
      for (const agent of agents.values()) agent.destroy();
      agents.clear();
    },
  };
}

const privateNetworks = new BlockList();
for (const [network, prefix] of [
  ["127.0.0.0", 8],
  ["10.0.0.0", 8],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
  ["169.254.0.0", 16],
] as const) {
  privateNetworks.addSubnet(network, prefix);
}

function isPrivate(host: string): boolean {
  if (host === "localhost" || host === "[::1]") return true;
  return isIP(host) === 4 && privateNetworks.check(host);
}

function exchangeOnce(exchange: Exchange, agent: HttpAgent): Promise<RawAnswer> {
  const { method, url, body, timeoutMs, signal } = exchange;
  const deadline = AbortSignal.timeout(timeoutMs);
  const options: RequestOptions = {
    method,
    agent,
    headers: { ...exchange.headers, ...lengthOf(method, body) },
    signal: signal === undefined ? deadline : AbortSignal.any([deadline, signal]),
  };
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) => {
      if (signal?.aborted) return reject(signal.reason);
      if (deadline.aborted) {
        return reject(new TransportError(method, url, "TIMEOUT", `no answer within ${timeoutMs / 1000} s`, false));
      }
      const code = error.code ?? "UNKNOWN";
      reject(new TransportError(method, url, code, error.message || code, notSentCodes.has(code)));
    };
    const start = url.protocol === "https:" ? httpsRequest : httpRequest;
    const request = start(url, options, (answer) => {
      answer.on("error", fail);
      readAll(answer).then(resolve, fail);
    });
    request.on("error", fail);
    if (typeof body === "function") {
      const stream = body();
      stream.on("error", (error) => request.destroy(error));
      stream.pipe(request);
    } else {
      request.end(body);
    }
  });
}

function lengthOf(method: string, body: RequestBody | undefined): Record<string, string> {
  if (typeof body === "function") return {};
  if (body !== undefined) return { "content-length": String(Buffer.byteLength(body)) };
  return method === "POST" || method === "PUT" ? { "content-length": "0" } : {};
}

async function readAll(answer: IncomingMessage): Promise<RawAnswer> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(answer.headers)) headers[name] = String(value);
  return { status: answer.statusCode ?? 0, headers, bytes: Buffer.concat(chunks) };
}
