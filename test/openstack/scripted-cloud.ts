import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TlsOptions } from "node:tls";
import type { Credentials } from "../../src/openstack/credentials.ts";
import { openSession, type Session, type SessionOptions } from "../../src/openstack/session.ts";

/** What a scripted cloud was asked. */
export interface Asked {
  method: string;
  path: string;
  headers: IncomingMessage["headers"];
  body: string;
}

/** One answer; `reset` breaks the connection instead, `cut` breaks it within the body, `hang` never answers. */
export interface Reply {
  status?: number;
  headers?: Record<string, string>;
  body?: unknown;
  reset?: true;
  cut?: true;
  hang?: true;
}

/** A tiny Keystone with one service behind it that answers what the test says, one reply after another. */
export class ScriptedCloud {
  readonly asked: Asked[] = [];
  /** Replies of the service, in order; the last one is repeated. */
  replies: Reply[] = [{ status: 200, body: {} }];
  /** Replies of Keystone; a token where there is none. */
  logins: Reply[] = [];
  /** Where its catalogue sends callers, if not to itself. */
  serviceUrl: string | undefined;
  readonly #server: Server;
  readonly #scheme: string;

  private constructor(tls?: TlsOptions) {
    const answer: RequestListener = (request, response) => {
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
        const text = typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body ?? {});
        const length = Buffer.byteLength(text) + (reply.cut ? 10 : 0);
        const headers = { "content-type": "application/json", "content-length": length, ...reply.headers };
        response.writeHead(reply.status ?? 200, headers);
        if (reply.cut) response.write(text, () => request.socket.destroy());
        else response.end(text);
      });
    };
    this.#server = tls === undefined ? createServer(answer) : createTlsServer(tls, answer);
    this.#scheme = tls === undefined ? "http" : "https";
  }

  /** @param tls its certificate, and whom it wants to see one of */
  static async start(tls?: TlsOptions): Promise<ScriptedCloud> {
    const cloud = new ScriptedCloud(tls);
    await new Promise<void>((resolve) => cloud.#server.listen(0, "127.0.0.1", resolve));
    return cloud;
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What the service (not Keystone) was asked. */
  get calls(): Asked[] {
    return this.asked.filter(({ path }) => path !== "/v3/auth/tokens");
  }

  /** A session with this cloud that does not pause long between attempts. */
  open(options: SessionOptions = {}, over: Partial<Credentials> = {}): Session {
    const credentials: Credentials = {
      authUrl: this.url,
      identity: { method: "password", user: { name: "demo", domain: { id: "default" } }, password: "secret" },
      project: { name: "demo", domain: { id: "default" } },
      region: "One",
      interface: "public",
      tls: { verify: true },
      ...over,
    };
    return openSession(credentials, { retries: { firstPauseMs: 1 }, ...options });
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #next(): Reply {
    return (this.replies.length > 1 ? this.replies.shift() : this.replies[0]) ?? {};
  }

  #token(): Reply {
    const base = this.serviceUrl ?? this.url;
    const endpoint = (type: string) => ({
      type,
      endpoints: [
        { interface: "internal", region: "One", url: `${base}/internal` },
        { interface: "public", region: "Two", url: `${base}/two` },
        { interface: "public", region: "One", url: `${base}/${type}/` },
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
