import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** An answer to a client of a load. */
export interface LoadAnswer {
  status: number;
  text: string;
  /** Whether the server ends the connection with it. */
  closes: boolean;
}

/** A GET, or with a body a POST of JSON, which a text is already. Rejects where there is no whole answer; nothing is asked twice. */
export function askOnce(
  agent: Agent,
  url: string,
  { body, socketPath, signal }: { body?: unknown; socketPath?: string; signal?: AbortSignal } = {},
): Promise<LoadAnswer> {
  const { hostname, port, pathname } = new URL(url);
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  const where = socketPath === undefined ? { hostname, port } : { socketPath };
  const options = { ...where, path: pathname, agent, method: body === undefined ? "GET" : "POST", headers, signal };
  return new Promise((resolve, reject) => {
    request(options, (answer) => {
      let text = "";
      answer
        .setEncoding("utf8")
        .on("data", (chunk: string) => {
          text += chunk;
        })
        .on("error", reject)
        .on("end", () =>
          resolve({ status: answer.statusCode ?? 0, text, closes: answer.headers.connection === "close" }),
        );
    })
      .on("error", reject)
      .end(body === undefined || typeof body === "string" ? body : JSON.stringify(body));
  });
}

/** How many clients ask in which way, all the time. */
export interface LoadClients {
  /** They keep their connections. */
  keeping: number;
  /** They open one for each question. */
  fresh: number;
  /** They keep their connections, which are idle most of the time. */
  idling: number;
  /** The same, idle nearly all the time. */
  resting?: number;
}

/** Clients that ask until they are stopped; each of their questions is counted. */
export function constantLoad<T>(ask: (agent: Agent, turn: number) => Promise<T>, clients: LoadClients) {
  const answers: T[] = [];
  const failures: string[] = [];
  let asking = true;
  const client = async (keepAlive: boolean, pauseMs: number) => {
    const agent = new Agent({ keepAlive, maxSockets: 1 });
    for (let turn = 0; asking; turn++) {
      await ask(agent, turn).then(
        (answer) => answers.push(answer),
        (error: NodeJS.ErrnoException) => failures.push(error.code ?? error.message),
      );
      if (pauseMs > 0) await sleep(pauseMs);
    }
    agent.destroy();
  };
  const many = (count: number, keepAlive: boolean, pauseMs: number) =>
    Array.from({ length: count }, () => client(keepAlive, pauseMs));
  const running = [
    ...many(clients.keeping, true, 0),
    ...many(clients.fresh, false, 0),
    ...many(clients.idling, true, IDLE_MS),
    ...many(clients.resting ?? 0, true, REST_MS),
  ];
  const stop = async () => {
    asking = false;
    await Promise.all(running);
  };
  return { answers, failures, stop };
}

const IDLE_MS = 40;
const REST_MS = 1000;
