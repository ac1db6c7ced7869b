import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { BlockList, isIP } from "node:net";
import type { Readable } from "node:stream";
import type { TlsSettings } from "./credentials.ts";

/** What is sent: text, bytes, or a function that opens a stream (called again for each attempt). */
export type RequestBody = string | Uint8Array | (() => Readable);

/** How long one HTTP exchange may take. */
export interface ExchangeLimits {
  /** Milliseconds from start to the last byte of the answer. */
  timeoutMs: number;
  signal?: AbortSignal;
}

/** One HTTP exchange to make. */
interface Exchange extends ExchangeLimits {
  method: string;
  url: URL;
  headers: Record<string, string>;
  body?: RequestBody;
}

/** An HTTP answer, read to its end. Header names in lower case. */
export interface RawAnswer {
  method: string;
  url: URL;
  status: number;
  headers: Record<string, string>;
  bytes: Buffer;
}

const notSentCodes = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"]);

/** No answer came: refused, reset, name unknown, TLS failure, or too slow. `code` is Node's, or `TIMEOUT`. */
export class TransportError extends Error {
  override readonly name = "TransportError";
  readonly method: string;
  readonly url: string;
  readonly code: string;
  /** True where the request cannot have reached the service. */
  readonly notSent: boolean;

  constructor(method: string, url: URL, code: string, reason: string) {
    super(`${method} ${url.origin}${url.pathname}: ${reason}`);
    this.method = method;
    this.url = url.href;
    this.code = code;
    this.notSent = notSentCodes.has(code);
  }
}

/** Makes HTTP exchanges over kept connections. */
export interface Transport {
  exchange(exchange: Exchange): Promise<RawAnswer>;
  /** The connections to an address, with its TLS settings and proxy, for another client of HTTP. */
  agentFor(url: URL): HttpAgent;
  close(): void;
}

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
    agentFor,
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
  const { method, url, body } = exchange;
  const end = endOf(exchange);
  const options: RequestOptions = {
    method,
    agent,
    headers: { ...exchange.headers, ...lengthOf(method, body) },
    signal: end.signal,
  };
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) => reject(end.reason(method, url, error));
    const start = url.protocol === "https:" ? httpsRequest : httpRequest;
    const request = start(url, options, (answer) => {
      answer.on("error", fail);
      readAll(answer).then((bytes) => resolve(rawAnswer(method, url, answer, bytes)), fail);
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

/** When an exchange has to end without an answer: at its deadline, or when its caller gives up. */
export function endOf({ timeoutMs, signal }: ExchangeLimits) {
  const deadline = AbortSignal.timeout(timeoutMs);
  return {
    signal: signal === undefined ? deadline : AbortSignal.any([deadline, signal]),
    /** What to throw for an exchange that failed with `error`; the caller's own reason where it gave up. */
    reason(method: string, url: URL, error: NodeJS.ErrnoException): unknown {
      if (signal?.aborted) return signal.reason;
      if (deadline.aborted) return new TransportError(method, url, "TIMEOUT", `no answer within ${timeoutMs / 1000} s`);
      const code = error.code ?? "UNKNOWN";
      return new TransportError(method, url, code, error.message || code);
    },
  };
}

function lengthOf(method: string, body: RequestBody | undefined): Record<string, string> {
  if (typeof body === "function") return {};
  if (body !== undefined) return { "content-length": String(Buffer.byteLength(body)) };
  return method === "POST" || method === "PUT" ? { "content-length": "0" } : {};
}

async function readAll(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** What Node's answer and its content say, to what was asked. */
export function rawAnswer(method: string, url: URL, answer: IncomingMessage, bytes: Buffer): RawAnswer {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(answer.headers)) headers[name] = String(value);
  return { method, url, status: answer.statusCode ?? 0, headers, bytes };
}
