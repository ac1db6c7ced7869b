import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import type { Call, Json } from "./recording.ts";

/** The first part of an embedded cloud's path, as the recordings name the service. */
const services: Record<string, string> = {
  identity: "keystone",
  compute: "nova",
  network: "neutron",
  image: "glance",
  volume: "cinder",
};

/** A proxy before an embedded cloud that writes down every request, in the order they came. */
export interface RecordingProxy {
  authUrl: string;
  calls: Call[];
  /** Answers as they are, or as this makes of them: for a cloud that is slow or odd. */
  alter: (call: Call, answer: string) => string;
  close(): Promise<void>;
}

/** The cloud's answers name its own addresses in the catalogue and in links: the proxy's stand in for them. */
export async function startRecordingProxy(cloudPort: number): Promise<RecordingProxy> {
  const calls: Call[] = [];
  let startedAt = 0;
  const proxy = { calls, alter: (_: Call, answer: string) => answer };
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const sent = Buffer.concat(chunks);
      const call = callOf(incoming.method ?? "", incoming.url ?? "", sent.toString());
      if (calls.length === 0) startedAt = performance.now();
      call.at = performance.now() - startedAt;
      calls.push(call);
      const { host: _, "accept-encoding": __, ...headers } = incoming.headers;
      const inner = request(
        { host: "127.0.0.1", port: cloudPort, method: incoming.method, path: incoming.url, headers },
        (answer) => {
          const received: Buffer[] = [];
          answer.on("data", (chunk: Buffer) => received.push(chunk));
          answer.on("end", () => {
            call.status = answer.statusCode ?? 0;
            const text = Buffer.concat(received).toString().replaceAll(`127.0.0.1:${cloudPort}`, address());
            const { "content-length": _, "transfer-encoding": __, ...answered } = answer.headers;
            outgoing.writeHead(call.status, answered).end(proxy.alter(call, text));
          });
        },
      );
      inner.on("error", () => outgoing.destroy());
      inner.end(sent);
    });
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const address = () => `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(proxy, {
    authUrl: `http://${address()}/identity/v3`,
    calls,
    close: (): Promise<void> =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}

function callOf(method: string, url: string, text: string): Call {
  const { pathname, search } = new URL(url, "http://cloud");
  const [, first = "", ...rest] = pathname.split("/");
  return {
    service: services[first] ?? first,
    method,
    path: `/${rest.join("/")}`,
    query: search.slice(1),
    status: 0,
    at: 0,
    ...(text === "" ? {} : { body: JSON.parse(text) as Json }),
  };
}
