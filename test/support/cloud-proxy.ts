import { createServer, type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from "node:http";
import type { AddressInfo } from "node:net";

/** A request on its way to a cloud; each hook is given the same object of one. */
export interface PassingCall {
  method: string;
  /** Path and query. */
  url: string;
  body: string;
}

/** What a cloud said, as the client is told it. */
export interface PassingAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  /** Empty where the answer is neither text nor JSON. */
  text: string;
}

/** Stands between a client and a cloud. */
export interface CloudProxy {
  /** Keystone, by way of the proxy; the catalogue that it gives names the proxy as well. */
  authUrl: string;
  close(): Promise<void>;
}

/** What is done about passing calls. */
export interface ProxyHooks {
  /** Before the cloud sees a call; false: it never does, and the client gets no answer. */
  before?(call: PassingCall): boolean;
  /** After the cloud has answered; false: the client never learns of it. */
  after?(call: PassingCall, status: number): boolean;
  /** What the client is told in place of the cloud's answer. */
  alter?(call: PassingCall, answer: string): string;
  /** With what the client is told. */
  answered?(call: PassingCall, answer: PassingAnswer): void;
}

/** Whose requests go where: those below `prefix` (`/compute`, or empty for all) to the address `base`, without a slash at its end. */
export interface Upstream {
  prefix: string;
  base: string;
}

/**
 * Starts a proxy on a free port of 127.0.0.1. The cloud's answers name its own addresses in the catalogue and in links: the proxy's stand in for them.
 * @param cloud an embedded cloud's port, or where each service of another cloud is
 */
export async function startCloudProxy(cloud: number | Upstream[], hooks: ProxyHooks): Promise<CloudProxy> {
  const upstreams = typeof cloud === "number" ? [{ prefix: "", base: `http://127.0.0.1:${cloud}` }] : cloud;
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const sent = Buffer.concat(chunks);
      const { method = "", url = "" } = incoming;
      const passing = { method, url, body: sent.toString() };
      const upstream = upstreams.find(({ prefix }) => url.startsWith(prefix));
      if (hooks.before?.(passing) === false || upstream === undefined) return outgoing.destroy();
      const { host: _, "accept-encoding": __, connection: ___, ...headers } = incoming.headers;
      const target = new URL(upstream.base + url.slice(upstream.prefix.length));
      const inner = request(target, { method, headers, agent: false }, (answer) => {
        const received: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => received.push(chunk));
        answer.on("end", () => {
          const status = answer.statusCode ?? 0;
          if (hooks.after?.(passing, status) === false) return outgoing.destroy();
          const told = headersFor(method, answer.headers, readdressed);
          const isText = /json|text/.test(answer.headers["content-type"] ?? "");
          const text = isText ? readdressed(Buffer.concat(received).toString()) : "";
          const altered = hooks.alter?.(passing, text) ?? text;
          hooks.answered?.(passing, { status, headers: told as IncomingHttpHeaders, text: altered });
          outgoing.writeHead(status, told).end(isText ? altered : Buffer.concat(received));
        });
      });
      inner.on("error", () => outgoing.destroy());
      inner.end(sent);
    });
  });
  server.keepAliveTimeout = 0; // closed at Node's five seconds, a client's next call would meet the end of its connection
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const readdressed = (text: string) =>
    upstreams.reduce((changed, { prefix, base }) => changed.replaceAll(base, address + prefix), text);
  return {
    authUrl: `${address}/identity/v3`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A text's length changes with the addresses in it; the answer to HEAD tells one of a body that is not sent. */
function headersFor(
  method: string,
  { connection: _, "transfer-encoding": __, ...headers }: IncomingHttpHeaders,
  readdressed: (text: string) => string,
): OutgoingHttpHeaders {
  const { "content-length": ___, ...withoutLength } = headers;
  const kept = method === "HEAD" ? headers : withoutLength;
  return Object.fromEntries(
    Object.entries(kept).map(([name, value]) => [name, typeof value === "string" ? readdressed(value) : value]),
  );
}
