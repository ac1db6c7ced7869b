import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent } from "node:http";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { waitFor } from "../../../src/common/wait.ts";
import { importModel } from "../../../src/serving/models/import.ts";
import { askOnce, constantLoad } from "../../support/constant-load.ts";
import {
  exampleModel,
  goldenRows,
  type Host,
  installModel,
  prepareHost,
  startFrontendOn,
  startServing,
  type TestProcess,
} from "../support.ts";

const model = await importModel(exampleModel("production"));
const rows = goldenRows(model).rows.slice(0, 2);
let folder: string;
let host: Host;
let runtime: TestProcess;

type Path = "/v1/predict" | "/version" | "/v2/health/ready";

async function ask(agent: Agent, path: Path, socketPath?: string) {
  const { status, text, closes } = await askOnce(agent, host.url + path, {
    ...(path === "/v1/predict" && { body: { rows } }),
    ...(socketPath && { socketPath }),
  });
  return {
    status,
    closes,
    payload: path === "/version" ? (JSON.parse(text) as { payload: string }).payload : undefined,
  };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-handover-"));
  host = await prepareHost(folder, {});
  await installModel(host.modelsDir, model);
  runtime = startServing("runtime", host);
});
afterAll(async () => {
  await runtime.end("SIGKILL");
  await rm(folder, { recursive: true });
});

describe.each([1, 3])("a frontend of %i processes whose socket is held for it", (processes) => {
  let frontends: TestProcess[] = [];
  let socket: Server;
  const held = () => ({ SLIPWAY_HOLD: join(folder, "hold"), SLIPWAY_HELD_SOCKET: join(folder, "held.sock") });

  const start = async (payload: string, env: NodeJS.ProcessEnv) => {
    const { port } = host.config.frontend;
    const frontend = { host: "127.0.0.1", port, processes };
    await writeFile(join(folder, "serving.json"), JSON.stringify({ ...host.config, payload, frontend }));
    const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
    const started = startFrontendOn([{ name: "http", fd }], host, env);
    frontends.push(started);
    return started;
  };
  const until = (what: string, holds: () => boolean | Promise<boolean>) =>
    waitFor(what, async () => (await holds()) || undefined, { timeoutMs: 30_000, intervalMs: 20, maxIntervalMs: 100 });
  const ready = (socketPath?: string) =>
    until("the frontend to be ready", () =>
      ask(new Agent(), "/v2/health/ready", socketPath).then(
        ({ status }) => status === 200,
        () => false,
      ),
    );

  beforeAll(async () => {
    socket = createServer();
    await new Promise<void>((resolve) => void socket.listen({ ...host.config.frontend, backlog: 511 }, resolve));
  });
  afterAll(async () => {
    await Promise.all(frontends.map((one) => one.end("SIGKILL")));
    frontends = [];
    socket.close();
  });

  it("hands over to the next one beside it: no client is refused, cut off or told to come back", async () => {
    const { SLIPWAY_HOLD: hold, SLIPWAY_HELD_SOCKET: heldSocket } = held();
    await writeFile(hold, "");
    const next = await start("sha256:next", held());
    await ready(heldSocket);
    // each of its processes has read its configuration before there is another
    await until("all processes to be up", () => processes === 1 || next.output().includes('"msg":"started"'));
    const old = await start("sha256:old", {});
    socket.close(); // ours, so that connections go to the frontends' copies of it
    // by turns: each of the processes finds the runtime by itself
    for (let process = 0; process < processes; process++) await ready();

    const load = constantLoad((agent, turn) => ask(agent, turn % 8 === 0 ? "/version" : "/v1/predict"), {
      keeping: 8,
      fresh: 4,
      idling: 8,
    });
    const { answers, failures } = load;
    const payloads = () => new Set(answers.flatMap(({ payload }) => payload ?? []));
    await until("clients to be answered", () => answers.length > 500 || failures.length > 0);
    expect((await ask(new Agent(), "/version", heldSocket)).payload).toBe("sha256:next");
    expect(payloads()).toEqual(new Set(["sha256:old"]));

    await rm(hold);
    await until("the next one to answer everybody", () => !existsSync(heldSocket));
    expect(await old.end("SIGTERM")).toBe(0);
    const before = answers.length;
    await until("clients to be answered", () => answers.length > before + 300 || failures.length > 0);
    await load.stop();
    expect(failures).toEqual([]);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(answers.some(({ closes }) => closes)).toBe(true);
    expect(new Set(answers.slice(before + 100).flatMap(({ payload }) => payload ?? []))).toEqual(
      new Set(["sha256:next"]),
    );
    expect(await next.end("SIGTERM")).toBe(0);
  }, 60_000);
});
