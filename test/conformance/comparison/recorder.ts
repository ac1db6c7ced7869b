import type { IncomingHttpHeaders } from "node:http";
import type { PassingAnswer, PassingCall } from "../../support/cloud-proxy.ts";

/** A request and the answer to it. */
export interface Exchange {
  /** `GET /compute/v2.1/servers?name=web` */
  request: string;
  status: number;
  headers: Record<string, string>;
  /** Parsed where it is JSON, else text. */
  body: unknown;
}

/** What one call of a client asked of the cloud. */
export interface Call {
  /** As the client was called: a command line, a method, a task. */
  name: string;
  /** `ok`, or what the client made of the refusal in one word or two. */
  outcome: string;
  exchanges: Exchange[];
}

/** What says nothing about the service: the connection, the web server, the moment, and lengths, which ids and addresses change. */
const unheard = new Set(["connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"]);

/** Keeps what passes, call by call. What comes before the first call and between two is nobody's: a cloud being prepared. */
export class Recorder {
  readonly calls: Call[] = [];
  #current: Call | undefined;

  begin(name: string): void {
    this.#current = { name, outcome: "", exchanges: [] };
    this.calls.push(this.#current);
  }

  end(outcome: string): void {
    if (this.#current !== undefined) this.#current.outcome = outcome;
    this.#current = undefined;
  }

  /** The services that the last call may have changed something in, by the beginnings of their paths. */
  get changed(): string[] {
    const last = this.calls.at(-1)?.exchanges ?? [];
    const changes = last.filter(({ request }) => !/^(GET|HEAD) /.test(request));
    return [...new Set(changes.map(({ request }) => request.split("/")[1] ?? ""))].filter(
      (service) => service !== "identity",
    );
  }

  answered({ method, url }: PassingCall, { status, headers, text }: PassingAnswer): void {
    this.#current?.exchanges.push({
      request: `${method} ${url}`,
      status,
      headers: heard(headers),
      body: bodyOf(headers, text),
    });
  }
}

function heard(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => !unheard.has(name))
      .map(([name, value]) => [name, String(value)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

function bodyOf(headers: IncomingHttpHeaders, text: string): unknown {
  if (!headers["content-type"]?.includes("json") || text === "") return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
