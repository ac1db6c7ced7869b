import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startQueueServer } from "../../test/support/queue-server.ts";
import { freePort } from "../../test/support/tcp.ts";
import { pythonEnvironment } from "./installed.ts";
import type { Question } from "./load-report.ts";
import type { Net } from "./nets.ts";
import { asksJson, asksRow, firstOutput, firstPrediction, type ServingPath } from "./path.ts";
import { endAll, startServer, untilAnswered } from "./start.ts";

const programs = join(import.meta.dirname, "competitors");

/** How a Python server is started for a model file at a port. */
interface PythonServer {
  key: string;
  name: string;
  command: string;
  args: (file: string, port: number) => string[];
  /** Environment, and files in its folder that it reads. */
  settings?: (file: string, port: number) => Promise<{ env?: NodeJS.ProcessEnv; files?: Record<string, unknown> }>;
  question: (base: string, net: Net) => Question;
  probabilityIn: (answer: Buffer) => number;
}

function python(server: PythonServer): ServingPath {
  const { key, name, command, args, settings, question, probabilityIn } = server;
  return {
    key,
    name,
    kind: "competitor",
    start: async (net, folder) => {
      const bin = await pythonEnvironment(key);
      const [file, port] = [join(folder, "model.onnx"), await freePort()];
      await writeFile(file, net.model.onnx);
      const { env = {}, files = {} } = (await settings?.(file, port)) ?? {};
      for (const [path, value] of Object.entries(files)) {
        await mkdir(join(folder, path, ".."), { recursive: true });
        await writeFile(join(folder, path), JSON.stringify(value));
      }
      const process = startServer(join(bin, command), args(file, port), pythonVariables(env), folder);
      const asked = question(`http://127.0.0.1:${port}`, net);
      await untilAnswered(asked, process);
      return { question: asked, probabilityIn, processes: { server: process.pid }, stop: () => endAll(process) };
    },
  };
}

/** What all of them need: our programs can be imported, and nothing is written beside them. */
function pythonVariables(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...process.env, PYTHONPATH: programs, PYTHONDONTWRITEBYTECODE: "1", BENTOML_DO_NOT_TRACK: "True", ...env };
}

const litserve = python({
  key: "litserve",
  name: "LitServe",
  command: "python",
  args: (file, port) => [join(programs, "litserve_app.py"), file, `${port}`],
  question: (base, net) => asksRow(`${base}/predict`, net),
  probabilityIn: firstPrediction,
});

const bentoml = python({
  key: "bentoml",
  name: "BentoML",
  command: "bentoml",
  args: (_, port) => ["serve", "bento_app:Net", "--host", "127.0.0.1", "--port", `${port}`],
  settings: async (file) => ({ env: { MODEL: file } }),
  question: (base, net) => asksRow(`${base}/predict`, net),
  probabilityIn: (answer) => (JSON.parse(answer.toString()) as number[][])[0]?.[0] ?? Number.NaN,
});

const mlserver = python({
  key: "mlserver",
  name: "MLServer",
  command: "mlserver",
  args: () => ["start", "."],
  settings: async (file, port) => ({
    files: {
      "settings.json": {
        host: "127.0.0.1",
        http_port: port,
        grpc_port: await freePort(),
        metrics_port: await freePort(),
        // In its own process: with one worker beside it, it answered a twentieth less here.
        parallel_workers: 0,
        debug: false,
        access_log: false,
      },
      "net/model-settings.json": {
        name: "net",
        implementation: "mlserver_runtime.Net",
        max_batch_size: 64,
        max_batch_time: 0.002,
        parameters: { uri: file },
      },
    },
  }),
  question: (base, { row }) =>
    asksJson(`${base}/v2/models/net/infer`, {
      inputs: [{ name: "input", shape: [1, row.length], datatype: "FP32", data: row }],
    }),
  probabilityIn: firstOutput,
});

/** As SNIC has it: Flask hands each request to Celery and waits for the result, here over Redis. */
const celery: ServingPath = {
  key: "celery",
  name: "Flask + Celery",
  kind: "competitor",
  start: async (net, folder) => {
    const bin = await pythonEnvironment("celery");
    const [file, port] = [join(folder, "model.onnx"), await freePort()];
    await writeFile(file, net.model.onnx);
    const queue = await startQueueServer(folder);
    const REDIS = `redis://:${queue.password}@127.0.0.1:${queue.queue.port}/0`;
    const variables = pythonVariables({ MODEL: file, REDIS });
    const worker = startServer(
      join(bin, "celery"),
      ["-A", "celery_app:tasks", "worker", "-c", "1", "-l", "warning", "--without-gossip", "--without-mingle"],
      variables,
      folder,
    );
    const web = startServer(
      join(bin, "gunicorn"),
      [
        "--no-control-socket",
        "-w",
        "2",
        "-k",
        "gthread",
        "--threads",
        "32",
        "-b",
        `127.0.0.1:${port}`,
        "celery_app:app",
      ],
      variables,
      folder,
    );
    const question = asksRow(`http://127.0.0.1:${port}/predict`, net);
    await untilAnswered(question, web, worker);
    return {
      question,
      probabilityIn: firstPrediction,
      processes: { web: web.pid, worker: worker.pid, queue: queue.pid() },
      stop: () => Promise.all([endAll(web, worker), queue.stop()]),
    };
  },
};

/** What is served with today. Each has the settings that answered most here on two cores; their versions are pinned. */
export const competitors: ServingPath[] = [litserve, bentoml, mlserver, celery];
