import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

/** A request on its way to a cloud; each hook is given the same object of one. */
export interface PassingCall {
  method: string;
  /** Path and query. */
  url: string;
  body: string;
}

/** Stands between a client and an embedded cloud. */
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
}

/** Starts a proxy on a free port of 127.0.0.1. The cloud's answers name its own addresses in the catalogue and in links: the proxy's stand in for them. */
export async function startCloudProxy(cloudPort: number, hooks: ProxyHooks): Promise<CloudProxy> {
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const sent = Buffer.concat(chunks);
      const passing = { method: incoming.method ?? "", url: incoming.url ?? "", body: sent.toString() };
      if (hooks.before?.(passing) === false) return outgoing.destroy();
      const { host: _, "accept-encoding": __, ...headers } = incoming.headers;
      const target = { host: "127.0.0.1", port: cloudPort, method: incoming.method, path: incoming.url, headers };
      const inner = request(target, (answer) => {
        const received: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => received.push(chunk));
        answer.on("end", () => {
          const status = answer.statusCode ?? 0;
          if (hooks.after?.(passing, status) === false) return outgoing.destroy();
          const text = Buffer.concat(received).toString().replaceAll(`127.0.0.1:${cloudPort}`, address());
          const { "content-length": _, "transfer-encoding": __, ...answered } = answer.headers;
          outgoing.writeHead(status, answered).end(hooks.alter?.(passing, text) ?? text);
        });
      });
      inner.on("error", () => outgoing.destroy());
      inner.end(sent);
    });
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const address = () => `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    authUrl: `http://${address()}/identity/v3`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
