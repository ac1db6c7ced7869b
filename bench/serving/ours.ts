import { cp, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { appEntries } from "../../src/release/app-layer.ts";
import type { ServingConfigFile } from "../../src/serving/config.ts";
import { type Host, installModel, prepareHost, type TestProcess } from "../../test/serving/support.ts";
import { freePort } from "../../test/support/tcp.ts";
import type { Net } from "./nets.ts";
import { asksRow, firstPrediction, type Served, type ServingPath } from "./path.ts";
import { endAll, startServer, untilAnswered } from "./start.ts";

const root = join(import.meta.dirname, "../..");

/** The plain program with the model in its own process (in-process.ts). */
export function inProcess(key: string, kind: "none" | "row" | "batch", name: string): ServingPath {
  return {
    key,
    name,
    kind: "baseline",
    ...(kind === "none" && { modelless: true }),
    start: async (net, folder) => {
      const file = join(folder, "model.onnx");
      await writeFile(file, net.model.onnx);
      const port = await freePort();
      const program = join(import.meta.dirname, "in-process.ts");
      const server = startServer(process.execPath, [program, kind, file, `${port}`]);
      const question = asksRow(`http://127.0.0.1:${port}/v1/predict`, net);
      await untilAnswered(question, server);
      return {
        question,
        probabilityIn: firstPrediction,
        processes: { server: server.pid },
        stop: () => endAll(server),
      };
    },
  };
}

/** Our own frontend with the model in its own process (frontend-in-process.ts). */
export function frontendInProcess(key: string, name: string): ServingPath {
  return {
    key,
    name,
    kind: "baseline",
    start: async (net, folder) => {
      const host = await prepareHost(folder);
      await installModel(host.modelsDir, net.model);
      const program = join(import.meta.dirname, "frontend-in-process.ts");
      const server = startServer(process.execPath, [program], host.env);
      const question = asksRow(`${host.url}/v1/predict`, net);
      await untilAnswered(question, server);
      return {
        question,
        probabilityIn: firstPrediction,
        processes: { server: server.pid },
        stop: () => endAll(server),
      };
    },
  };
}

/** What a host runs, from the bundles that hosts get. */
export interface RunningHost {
  host: Host;
  frontend: TestProcess;
  runtimes: TestProcess[];
  /** Starts one of the runtimes, as its unit does when it has ended. */
  startRuntime: (replica: number) => TestProcess;
}

/** As many as there are unless a host is told otherwise. */
const REPLICAS = [0, 1];

/** Starts a host's frontend and runtimes, configured as hosts are but for these changes. */
export async function startHost(
  net: Net,
  folder: string,
  changes: Partial<ServingConfigFile> = {},
): Promise<RunningHost> {
  const app = join(folder, "app");
  for (const { name, content } of await appEntries(root)) {
    const file = join(app, name);
    await mkdir(dirname(file), { recursive: true });
    await ("bytes" in content ? writeFile(file, content.bytes) : cp(content.file, file));
  }
  const host = await prepareHost(folder, changes);
  await installModel(host.modelsDir, net.model);
  const start = (name: string, ...args: string[]) =>
    startServer(process.execPath, [join(app, `${name}.mjs`), ...args], host.env);
  const startRuntime = (replica: number) => start("runtime", `default-${replica}`);
  const running = { host, frontend: start("frontend"), runtimes: REPLICAS.map(startRuntime), startRuntime };
  await untilAnswered(asksRow(`${host.url}/v1/predict`, net), running.frontend, ...running.runtimes);
  return running;
}

/** A host of ours, asked in one of the ways that it answers. */
export function ours(
  key: string,
  name: string,
  asked: (net: Net, running: RunningHost) => Pick<Served, "question" | "probabilityIn">,
  configured: () => Promise<Partial<ServingConfigFile>> = async () => ({}),
): ServingPath {
  return {
    key,
    name,
    kind: "ours",
    start: async (net, folder) => {
      const running = await startHost(net, folder, await configured());
      const { frontend, runtimes } = running;
      const runtimePids = runtimes.map(({ pid }, index) => [`runtime ${index + 1}`, pid] as const);
      return {
        ...asked(net, running),
        processes: { frontend: frontend.pid, ...Object.fromEntries(runtimePids) },
        stop: () => endAll(frontend, ...runtimes),
      };
    },
  };
}

/** The name under which the model serves. */
export const MODEL = "diabetes";
