import { Agent, request } from "node:http";
import { TestCloud } from "../support.ts";
import { type Call, type Caller, kindOf } from "./calls.ts";
import type { Known } from "./values.ts";

export interface Answer {
  status: number;
  headers: NodeJS.Dict<string | string[]>;
  text: string;
}

/** How long an answer may take before the cloud counts as hanging. */
const patienceMs = 20_000;

/** A cloud that has something of everything, and that may be broken: what is missing is made again. */
export class World {
  known: Known = {};
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  #tokens: Record<Caller, string> = { demo: "", admin: "", stranger: "", wrong: "gAAAAAwrong", none: "" };
  /** Paths that answer the user with lists, one for each kind of them. */
  #lists: string[] = [];
  /** Whether something was sent since the last look that may have changed what there is. */
  #isStale = false;
  cloud: TestCloud;

  private constructor(cloud: TestCloud) {
    this.cloud = cloud;
  }

  static async start(): Promise<World> {
    const world = new World(await TestCloud.start());
    await world.#settleIn();
    return world;
  }

  async remove(): Promise<void> {
    this.#agent.destroy();
    await this.cloud.remove();
  }

  /**
   * Makes what is missing, in a new cloud where the logins of this one do not work any more, and looks at all that there is. Where nothing
   * but reading was asked for since, there is nothing to mend: most of the test's time would be these looks.
   */
  async mend(): Promise<void> {
    if (!this.#isStale) return;
    const tokens = [this.#tokens.demo, this.#tokens.admin, this.#tokens.stranger];
    const alive = await Promise.all(tokens.map((token) => this.cloud.get("/identity/v3/auth/projects", { token })));
    if (alive.every(({ status, body }) => status === 200 && body.projects.length > 0)) await this.#populate();
    else {
      await this.cloud.remove();
      this.cloud = await TestCloud.start();
      await this.#settleIn();
    }
  }

  /** Sends a call as it is: nothing is normalized. */
  send({ method, path, token, headers, body }: Call): Promise<Answer> {
    const text = this.#tokens[token];
    if (!["GET", "HEAD"].includes(method)) this.#isStale = true;
    return new Promise((resolve, reject) => {
      const call = request({
        ...{ host: "127.0.0.1", port: this.cloud.cloud.port, method, path, agent: this.#agent },
        headers: {
          ...(text === "" ? {} : { "x-auth-token": text }),
          ...encoded(headers),
          ...(body === undefined ? {} : { "content-length": Buffer.byteLength(body) }),
        },
        signal: AbortSignal.timeout(patienceMs),
      });
      call.on("error", reject);
      call.on("response", (answer) => {
        let received = "";
        answer.setEncoding("latin1").on("data", (chunk: string) => {
          received += chunk;
        });
        answer.on("error", reject);
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text: received }));
      });
      call.end(body);
    });
  }

  async #settleIn(): Promise<void> {
    const { cloud } = this;
    const admin = await cloud.adminToken();
    const { body } = await cloud.post("/identity/v3/projects", { project: { name: "strangers" } }, { token: admin });
    const login = { username: "stranger", password: "stranger", projectName: "strangers" };
    const user = { name: login.username, password: login.password, default_project_id: body.project.id };
    const made = await cloud.post("/identity/v3/users", { user }, { token: admin });
    const roles = await cloud.get("/identity/v3/roles?name=member", { token: admin });
    await cloud.put(
      `/identity/v3/projects/${body.project.id}/users/${made.body.user.id}/roles/${roles.body.roles[0].id}`,
      undefined,
      { token: admin },
    );
    const stranger = (await cloud.authenticate(login)).headers.get("x-subject-token") ?? "";
    this.#tokens = { ...this.#tokens, demo: cloud.token, admin, stranger };
    await this.#findLists();
    await this.#populate();
  }

  async #populate(): Promise<void> {
    await this.#look();
    const { cloud } = this;
    const network = (name: string) => `/network/v2.0/${name}`;
    const [networkId] = this.known.network ?? [];
    const [imageId] = this.known.image ?? [];
    const [flavorId] = this.known.flavor ?? [];
    // each names its kind, so that it is made only where there is none
    const seeds: [kind: string, path: string, body: unknown][] = [
      ["keypair", "/compute/v2.1/os-keypairs", { keypair: { name: "key" } }],
      ["server_group", "/compute/v2.1/os-server-groups", { server_group: { name: "group", policies: ["affinity"] } }],
      ["volume", "/volume/v3/volumes", { volume: { name: "disk", size: 1 } }],
      ["security_group", network("security-groups"), { security_group: { name: "more" } }],
      ["floatingip", network("floatingips"), { floatingip: { floating_network_id: await cloud.externalNetworkId() } }],
      ["server", "/compute/v2.1/servers", { server: { name: "web", imageRef: imageId, flavorRef: flavorId } }],
      ["port", network("ports"), { port: { network_id: networkId } }],
      ["image", "/image/v2/images", { name: "own", disk_format: "raw", container_format: "bare" }],
    ];
    const isRouted = (this.known.router ?? []).length > 0;
    if (!isRouted) await cloud.routedNetwork().catch(() => undefined);
    const missing = seeds.filter(([kind]) => (this.known[kind] ?? []).length === 0);
    for (const [, path, body] of missing) await cloud.post(path, body);
    const account = `/object-store/v1/AUTH_${cloud.projectId}`;
    await cloud.put(`${account}/box`);
    await cloud.put(`${account}/box/thing`, "content", { headers: { "content-type": "text/plain" } });
    await cloud.cloud.idle();
    if (missing.length > 0 || !isRouted) await this.#look();
    this.#isStale = false;
    this.known.account = [`AUTH_${cloud.projectId}`];
    this.known.container = ["box"];
    this.known.object = ["thing"];
    this.known.project = [cloud.projectId, ...(this.known.project ?? [])];
  }

  /** Of lists that are told at several paths (`servers` and `servers/detail`) the first is asked from now on, and none that refuses the user. */
  async #findLists(): Promise<void> {
    const paths = this.cloud.cloud.routes.filter(({ method, path }) => method === "GET" && !/[:*]/.test(path));
    const byKinds = new Map<string, string>();
    for (const { path } of paths) {
      const kinds = (await this.#listsAt(path)).map(([key]) => key).join();
      if (kinds !== "" && !byKinds.has(kinds)) byKinds.set(kinds, path);
    }
    this.#lists = [...byKinds.values()];
  }

  /** Asks for every list, and notes ids and names. */
  async #look(): Promise<void> {
    this.known = {};
    for (const path of this.#lists) {
      for (const [key, list] of await this.#listsAt(path)) this.#note(kindOf(key), list);
    }
  }

  async #listsAt(path: string): Promise<[key: string, list: unknown[]][]> {
    const answer = await this.send({ method: "GET", path, token: "demo", headers: {}, body: undefined });
    if (answer.status !== 200 || !String(answer.headers["content-type"]).includes("json")) return [];
    const entries = Object.entries(JSON.parse(answer.text) as Record<string, unknown>);
    return entries.filter((entry): entry is [string, unknown[]] => Array.isArray(entry[1]));
  }

  #note(kind: string, list: unknown[]): void {
    const texts = list.flatMap((item) => {
      const { id, name, keypair } = (item ?? {}) as { id?: unknown; name?: unknown; keypair?: { name?: unknown } };
      return [id, name, keypair?.name].filter((text): text is string => typeof text === "string" && text !== "");
    });
    this.known[kind] = [...new Set([...(this.known[kind] ?? []), ...texts])].slice(0, 12);
  }
}

/** Node takes header texts of one byte a character only, as HTTP has them. */
function encoded(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, text]) => [name, Buffer.from(text).toString("latin1")]),
  );
}
