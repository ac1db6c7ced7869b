import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

/** What a service is asked. */
export interface Request {
  method: string;
  /** Below the service's version, in parts: `["zones", "ID"]`. */
  path: string[];
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  text: string;
  /** The JSON body; undefined where it is none. */
  json: Record<string, unknown> | undefined;
}

/** What it answers; a text is sent as it is. */
export interface Reply {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}

/** One service, mounted below a prefix of the server, e.g. `/dns/v2`. */
export interface Service {
  prefix: string;
  answer(request: Request): Reply | Promise<Reply>;
}

/** Thrown by a service for an answer that is no success. */
export class Refusal extends Error {
  readonly reply: Reply;
  constructor(status: number, body: unknown) {
    super(JSON.stringify(body));
    this.reply = { status, body };
  }
}

/** The stand-ins behind one HTTP server on 127.0.0.1. */
export interface RunningServices {
  url: string;
  /** Every request as `METHOD /path status`, in order. */
  log: string[];
  stop(): Promise<void>;
}

export async function serve(services: Service[]): Promise<RunningServices> {
  const log: string[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", async () => {
      const url = new URL(request.url ?? "/", "http://127.0.0.1");
      const reply = await answer(services, {
        method: request.method ?? "",
        path: url.pathname.split("/"),
        query: url.searchParams,
        headers: request.headers,
        text: Buffer.concat(chunks).toString("utf8"),
        json: undefined,
      });
      log.push(`${request.method} ${url.pathname} ${reply.status}`);
      const asText = typeof reply.body === "string" || reply.body === undefined;
      response.writeHead(reply.status, { ...(asText ? {} : { "content-type": "application/json" }), ...reply.headers });
      response.end(asText ? reply.body : JSON.stringify(reply.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.unref();
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    log,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer(services: Service[], request: Request): Promise<Reply> {
  const path = request.path.join("/");
  const service = services.find(({ prefix }) => path.startsWith(`${prefix}/`));
  if (service === undefined) return { status: 404, body: "no such service" };
  if (!request.headers["x-auth-token"]) return { status: 401, body: "Authentication required" };
  try {
    const json = (request.headers["content-type"] ?? "").includes("application/json")
      ? (JSON.parse(request.text) as Record<string, unknown>)
      : undefined;
    return await service.answer({ ...request, json, path: path.slice(service.prefix.length + 1).split("/") });
  } catch (error) {
    if (error instanceof Refusal) return error.reply;
    return { status: 500, body: String(error) };
  }
}
