import { readFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import { parse } from "yaml";

export interface Answer {
  status: number;
  text: string;
  /** From the call to the answer's last byte. */
  ms: number;
}

/** A login to a cloud, over connections that are kept. */
export class Client {
  readonly #agent: Agent;
  readonly #base: URL;
  token = "";
  projectId = "";

  constructor(authUrl: string, connections = 1) {
    this.#base = new URL(authUrl);
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /** Logs in as an entry of a clouds.yaml. */
  static async of(cloudsFile: string, entry: string, connections = 1): Promise<Client> {
    const { auth } = parse(await readFile(cloudsFile, "utf8")).clouds[entry];
    const client = new Client(auth.auth_url, connections);
    const domain = { name: "Default" };
    const user = { name: auth.username, password: auth.password, domain };
    const login = {
      identity: { methods: ["password"], password: { user } },
      scope: { project: { name: auth.project_name, domain } },
    };
    await client.logIn(login);
    return client;
  }

  async logIn(auth: unknown): Promise<number> {
    const { token, answer } = await this.#send("POST", "/identity/v3/auth/tokens", { auth });
    this.token = token ?? "";
    this.projectId = JSON.parse(answer.text).token.project.id;
    return answer.ms;
  }

  async ask(method: string, path: string, body?: unknown): Promise<Answer> {
    return (await this.#send(method, path, body)).answer;
  }

  /** The answer's body. @throws Error for a refusal */
  // biome-ignore lint/suspicious/noExplicitAny: bodies of many shapes
  async make(method: string, path: string, body?: unknown): Promise<any> {
    const { status, text } = await this.ask(method, path, body);
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text.slice(0, 300)}`);
    return text === "" ? undefined : JSON.parse(text);
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(method: string, path: string, body?: unknown): Promise<{ answer: Answer; token: string | undefined }> {
    const isBytes = body instanceof Uint8Array;
    const content = body === undefined || isBytes ? body : JSON.stringify(body);
    const begun = performance.now();
    return new Promise((resolve, reject) => {
      const call = request({
        ...{ host: this.#base.hostname, port: this.#base.port, method, path, agent: this.#agent },
        headers: {
          "x-auth-token": this.token,
          "openstack-api-version": path.startsWith("/volume") ? "volume 3.70" : "compute 2.90",
          ...(content === undefined
            ? {}
            : {
                "content-type": isBytes ? "application/octet-stream" : "application/json",
                "content-length": Buffer.byteLength(content),
              }),
        },
      });
      call.on("error", reject).on("response", (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part)).on("error", reject);
        response.on("end", () => {
          const text = Buffer.concat(parts).toString();
          const token = response.headers["x-subject-token"];
          const answer = { status: response.statusCode ?? 0, text, ms: performance.now() - begun };
          resolve({ answer, token: Array.isArray(token) ? token[0] : token });
        });
      });
      call.end(content);
    });
  }
}
