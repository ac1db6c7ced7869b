import { randomInt } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { destroyCloud, startDaemon } from "../../src/cloud/control.ts";
import type { Credentials } from "../../src/cloud/credentials.ts";
import { isAlive, markOf, signal } from "../../src/cloud/hypervisors/nspawn/processes.ts";
import { stateFiles } from "../../src/cloud/store/state.ts";
import { waitFor } from "../../src/common/wait.ts";

const projectRoot = join(import.meta.dirname, "../..");
const rounds = 6;

/** A value that the cloud keeps under a key; undefined: none. */
type Value = string | undefined;

/** Something that can be written and asked for again. `write` resolves when the cloud has acknowledged. */
interface Kept {
  write(key: string, value: Value): Promise<void>;
  read(key: string): Promise<Value>;
}

/** Someone who writes one thing after the other, and knows what the cloud must hold: more than one value where no answer came. */
class Writer {
  readonly possible = new Map<string, Value[]>();
  acknowledged = 0;
  readonly #kept: Kept;
  readonly #name: string;

  constructor(name: string, kept: Kept) {
    this.#name = name;
    this.#kept = kept;
  }

  /** Writes until the cloud answers no more. */
  async writeUntilKilled(): Promise<void> {
    for (;;) {
      const key = `${this.#name}-${randomInt(4)}`;
      const before = this.possible.get(key)?.[0];
      const value = before !== undefined && randomInt(3) === 0 ? undefined : `value ${randomInt(1e9)}`;
      if (before === undefined && value === undefined) continue;
      this.possible.set(key, [before, value]);
      const answered = await this.#kept.write(key, value).then(
        () => true,
        (error: unknown) => {
          if (error instanceof Error && error.message === "fetch failed") return false; // nobody listens any more
          throw error;
        },
      );
      if (!answered) return;
      this.possible.set(key, [value]);
      this.acknowledged += 1;
    }
  }

  /** What the cloud holds and should not; from then on, what it holds is known. */
  async lost(): Promise<string[]> {
    const lost: string[] = [];
    for (const [key, values] of this.possible) {
      const found = await this.#kept.read(key);
      if (!values.includes(found)) lost.push(`${key}: ${found} in place of ${values.join(" or ")}`);
      this.possible.set(key, [found]);
    }
    return lost;
  }
}

describe("a cloud whose process is killed while it is written to", () => {
  let folder: string;
  let stateDir: string;
  let base = "";
  let token = "";
  let project = "";
  let pid = 0;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "slipway-killed-"));
    stateDir = join(folder, "cloud");
    await start();
  });
  afterAll(async () => {
    await destroyCloud(stateDir);
    await rm(folder, { recursive: true, force: true });
  });

  async function start(): Promise<void> {
    const info = await startDaemon({ stateDir, hypervisor: "fake", projectRoot });
    pid = info.pid;
    base = `http://127.0.0.1:${info.port}`;
    if (token !== "") return;
    const { demo } = JSON.parse(await readFile(stateFiles(stateDir).credentials, "utf8")) as Credentials;
    const user = { name: demo.username, password: demo.password, domain: { id: "default" } };
    const scope = { project: { name: demo.projectName, domain: { id: "default" } } };
    const body = { auth: { identity: { methods: ["password"], password: { user } }, scope } };
    const answer = await ask("POST", "/identity/v3/auth/tokens", body);
    token = answer.headers.get("x-subject-token") ?? "";
    project = (JSON.parse(answer.text) as { token: { project: { id: string } } }).token.project.id;
  }

  async function kill(): Promise<void> {
    const daemon = await markOf(pid);
    if (daemon === undefined) throw new Error("there is no daemon to kill");
    await signal(daemon, "SIGKILL");
    const isGone = async () => ((await isAlive(daemon)) ? undefined : true);
    await waitFor("the daemon's end", isGone, { timeoutMs: 10_000, intervalMs: 5 });
  }

  async function ask(method: string, path: string, body?: unknown) {
    const answer = await fetch(base + path, {
      method,
      headers: {
        "content-type": typeof body === "string" ? "text/plain" : "application/json",
        ...(token === "" ? {} : { "x-auth-token": token }),
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await answer.text().catch(() => {
      throw new TypeError("fetch failed"); // its end came between the head and the body: not acknowledged
    });
    return { status: answer.status, headers: answer.headers, text };
  }

  async function demand(method: string, path: string, body?: unknown): Promise<string> {
    const { status, text } = await ask(method, path, body);
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text}`);
    return text;
  }

  const findNetwork = async (name: string) =>
    (JSON.parse(await demand("GET", `/network/v2.0/networks?name=${name}`)) as { networks: Record<string, string>[] })
      .networks[0];

  const networks: Kept = {
    async write(name, description) {
      const found = await findNetwork(name);
      const network = description === undefined ? undefined : { network: { name, description } };
      if (found === undefined) await demand("POST", "/network/v2.0/networks", network);
      else await demand(network ? "PUT" : "DELETE", `/network/v2.0/networks/${found.id}`, network);
    },
    read: async (name) => (await findNetwork(name))?.description,
  };

  const objects: Kept = {
    async write(name, content) {
      const container = `/object-store/v1/AUTH_${project}/kept`;
      await demand("PUT", container);
      await demand(content === undefined ? "DELETE" : "PUT", `${container}/${name}`, content);
    },
    async read(name) {
      const { status, text } = await ask("GET", `/object-store/v1/AUTH_${project}/kept/${name}`);
      return status === 200 ? text : undefined;
    },
  };

  const volumes = () => `/volume/v3/${project}/volumes`;
  const findVolume = async (name: string) =>
    (
      JSON.parse(await demand("GET", `${volumes()}/detail?name=${name}`)) as {
        volumes: { id: string; status: string; description: string }[];
      }
    ).volumes[0];
  const settledVolume = (name: string) =>
    waitFor(
      "the volume to settle",
      async () => {
        const found = await findVolume(name);
        return found === undefined || found.status === "available" ? { found } : undefined;
      },
      { timeoutMs: 20_000, intervalMs: 5 },
    );
  const volumeMetadata: Kept = {
    async write(name, description) {
      const { found } = await settledVolume(name);
      const volume = description === undefined ? undefined : { volume: { name, description, size: 1 } };
      if (found === undefined) await demand("POST", volumes(), volume);
      else if (volume === undefined) await demand("DELETE", `${volumes()}/${found.id}`);
      else await demand("PUT", `${volumes()}/${found.id}`, { volume: { description } });
    },
    read: async (name) => (await settledVolume(name)).found?.description,
  };

  it("has at its next start all that it has acknowledged, and nothing that it has not been asked for", async () => {
    const writers = [
      ...[1, 2, 3].map((index) => new Writer(`net-${index}`, networks)),
      ...[1, 2].map((index) => new Writer(`object-${index}`, objects)),
      ...[1, 2].map((index) => new Writer(`volume-${index}`, volumeMetadata)),
    ];
    for (let round = 1; round <= rounds; round += 1) {
      const writing = Promise.all(writers.map((writer) => writer.writeUntilKilled()));
      const moment = sleep(randomInt(20, 400)).then(kill);
      await Promise.all([writing, moment]);
      await start();
      for (const writer of writers) expect(await writer.lost(), `round ${round}`).toEqual([]);
    }
    for (const writer of writers) expect(writer.acknowledged).toBeGreaterThan(rounds);
  });
});
