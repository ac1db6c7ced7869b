import { randomUUID } from "node:crypto";
import { Agent, request } from "node:https";
import type { Certificate } from "../../support/certificates.ts";

interface EngineAnswer {
  status: number;
  body: string;
  reason: string | undefined;
}

export interface EngineClient {
  post(path: string, body: string | Buffer, headers?: Record<string, string>): Promise<EngineAnswer>;
  /** A JSON body. */
  ask(path: string, fields: unknown, headers?: Record<string, string>): Promise<EngineAnswer>;
  /** A form with a file. */
  send(path: string, file: string, field?: string): Promise<EngineAnswer>;
  close(): void;
}

/** Who asks whom, and what both show. */
interface EngineClientOptions {
  ca: string;
  certificate?: Certificate;
  keepAlive?: boolean;
  host?: string;
  /** The name in the server's certificate, where that is not for the address. */
  servername?: string;
}

/** A database: asks over one connection, as long as it asks one thing after the other; without `keepAlive` over a new one each time. */
export function engineClient(
  port: number,
  { ca, certificate, keepAlive = true, host = "127.0.0.1", servername }: EngineClientOptions,
): EngineClient {
  const agent = new Agent({ keepAlive, ca, ...certificate, ...(servername && { servername }) });
  const post: EngineClient["post"] = (path, body, headers = {}) =>
    new Promise((resolve, reject) => {
      const sent = request(
        {
          agent,
          host,
          port,
          path,
          method: "POST",
          headers: { "content-length": Buffer.byteLength(body), ...headers },
        },
        (answer) => {
          let text = "";
          answer.setEncoding("utf8").on("data", (piece: string) => {
            text += piece;
          });
          answer.on("error", reject);
          answer.on("end", () =>
            resolve({
              status: answer.statusCode ?? 0,
              body: text,
              reason: answer.headers["slipway-reason"] as string | undefined,
            }),
          );
        },
      );
      sent.setTimeout(60_000, () => sent.destroy(new Error("no answer")));
      sent.on("error", reject);
      sent.end(body);
    });
  return {
    post,
    ask: (path, fields, headers) =>
      post(path, JSON.stringify(fields), { "content-type": "application/json", ...headers }),
    send: (path, file, field = "file") => {
      const boundary = randomUUID();
      const head = `--${boundary}\r\nContent-Disposition: form-data; name="${field}"; filename="plans.csv"\r\n\r\n`;
      return post(path, `${head}${file}\r\n--${boundary}--\r\n`, {
        "content-type": `multipart/form-data; boundary=${boundary}`,
      });
    },
    close: () => agent.destroy(),
  };
}
