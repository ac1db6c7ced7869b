import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** What a scripted cloud was asked. */
export interface Asked {
  method: string;
  path: string;
  headers: IncomingMessage["headers"];
  body: string;
}

/** One answer; `reset` breaks the connection instead, `hang` never answers. */
export type Reply = { status?: number; headers?: Record<string, string>; body?: unknown; reset?: true; hang?: true };

/** A tiny Keystone with one service behind it that answers what the test says, one reply after another. */
export class ScriptedCloud {
  readonly asked: Asked[] = [];
  /** Replies of the service, in order; the last one is repeated. */
  replies: Reply[] = [{ status: 200, body: {} }];
  /** Replies of Keystone; a token where there is none. */
  logins: Reply[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => {
        body += chunk.toString();
      });
      request.on("end", () => {
        const path = request.url ?? "";
        this.asked.push({ method: request.method ?? "", path, headers: request.headers, body });
        const isLogin = path === "/v3/auth/tokens";
        const reply = isLogin ? (this.logins.shift() ?? this.#token()) : this.#next();
        if (reply.hang) return;
        if (reply.reset) return request.socket.destroy();
        response.writeHead(reply.status ?? 200, { "content-type": "application/json", ...reply.headers });
        response.end(typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body ?? {}));
      });
    });
  }

  static async start(): Promise<ScriptedCloud> {
    const cloud = new ScriptedCloud();
    await new Promise<void>((resolve) => cloud.#server.listen(0, "127.0.0.1", resolve));
    return cloud;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What the service (not Keystone) was asked. */
  get calls(): Asked[] {
    return this.asked.filter(({ path }) => path !== "/v3/auth/tokens");
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #next(): Reply {
    return (this.replies.length > 1 ? this.replies.shift() : this.replies[0]) ?? {};
  }

  #token(): Reply {
    const endpoint = (type: string) => ({
      type,
      endpoints: [
        { interface: "internal", region: "One", url: `${this.url}/internal` },
        { interface: "public", region: "Two", url: `${this.url}/two` },
        { interface: "public", region: "One", url: `${this.url}/${type}/` },
      ],
    });
    const catalog = ["compute", "network", "image", "object-store"].map(endpoint);
    return {
      status: 201,
      headers: { "x-subject-token": `token-${this.asked.length}` },
      body: { token: { project: { id: "p1" }, user: { id: "u1" }, catalog } },
    };
  }
}
