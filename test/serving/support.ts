import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compileCache } from "../../src/common/compile-cache.mjs";
import { hexOf } from "../../src/common/digest.ts";
import { run } from "../../src/common/process.ts";
import { waitFor } from "../../src/common/wait.ts";
import { type ServingConfig, type ServingConfigFile, servingConfig } from "../../src/serving/config.ts";
import { hasGoldenRows, type RowGolden } from "../../src/serving/models/golden.ts";
import { type AnyPackage, packageTar } from "../../src/serving/models/package.ts";
import { addVersion, type ModelIdentity, useVersion } from "../../src/serving/models/registry.ts";
import { updateRegistry } from "../../src/serving/models/registry-file.ts";
import { freePort } from "../support/tcp.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The models that come with the project. */
export const exampleModel = (variant: "production" | "development") => join(root, "models", "diabetes", variant);

/** The source system's own models, where this checkout has them beside it; they carry no licence and are no part of the project. */
export const labModel = (variant: "production" | "development") => join(root, "..", "shared", "data", "snic", variant);
export const labModelsAbsent = existsSync(labModel("production"))
  ? false
  : "the lab's models are not beside this checkout";

/** The golden rows of a model that has some. */
export function goldenRows({ golden }: Pick<AnyPackage, "golden">): RowGolden {
  if (!hasGoldenRows(golden)) throw new Error("the model has no golden rows");
  return golden;
}

/** Puts a model where a host has it, as the bootstrap does, and makes it the current one. */
export async function installModel(
  modelsDir: string,
  model: AnyPackage,
  version = "1",
  name = "diabetes",
): Promise<ModelIdentity> {
  const { bytes, digest } = await packageTar(model);
  const identity = { name, version, digest };
  const folder = join(modelsDir, hexOf(digest));
  await mkdir(folder, { recursive: true });
  await run("tar", ["-x", "-C", folder], { input: bytes });
  await updateRegistry(modelsDir, (registry) => useVersion(addVersion(registry, identity), identity.name, version));
  return identity;
}

/** A host's serving folder: configuration, models, socket. */
export interface Host {
  config: ServingConfig;
  env: NodeJS.ProcessEnv;
  modelsDir: string;
  url: string;
}

/** Writes a host's configuration into an empty folder; its ports are free ones. */
export async function prepareHost(folder: string, changes: Partial<ServingConfigFile> = {}): Promise<Host> {
  const port = await freePort();
  const file: ServingConfigFile = {
    payload: "sha256:payload",
    stack: "production",
    host: "server-g1",
    generation: "g1",
    frontend: { host: "127.0.0.1", port },
    runtimeDir: folder,
    modelsDir: join(folder, "models"),
    jobs: { spoolDir: join(folder, "spool") },
    ...changes,
  };
  const config = servingConfig.parse(file);
  await mkdir(config.modelsDir, { recursive: true });
  await writeFile(join(folder, "serving.json"), JSON.stringify(file));
  return {
    config,
    env: { ...process.env, SLIPWAY_SERVING_CONFIG: join(folder, "serving.json") },
    modelsDir: config.modelsDir,
    url: `http://127.0.0.1:${config.frontend.port}`,
  };
}

/** A process that a test started. */
export interface TestProcess {
  pid: number;
  /** What it has printed. */
  output: () => string;
  /** Ends it and returns its exit code; null for one that a signal ended. */
  end: (signal?: NodeJS.Signals) => Promise<number | null>;
  /** Resolves with the exit code when it ends by itself. */
  ended: Promise<number | null>;
}

/** Starts a command, with these descriptors from 3 on; the test must end it. */
export function startProcess(
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv = process.env,
  descriptors: number[] = [],
): TestProcess {
  const child = spawn(command, args, { env, stdio: ["pipe", "pipe", "pipe", ...descriptors] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on("close", resolve);
    child.on("error", reject);
  });
  return {
    pid: child.pid ?? 0,
    output: () => output,
    ended,
    end: (signal = "SIGTERM") => {
      child.kill(signal);
      return ended;
    },
  };
}

/** A module that ends its process with the one that started it, even a killed one: the pipe to it closes then. */
const endsWithParent = "data:text/javascript,process.stdin.on('end',()=>process.exit(1)).resume().unref()";

/** Starts one of the host's serving processes from its source. */
export function startServing(
  entry: "frontend" | "runtime" | "worker",
  host: Host,
  replica = 0,
  group = "default",
): TestProcess {
  const env = { ...host.env, NODE_COMPILE_CACHE: compileCache() };
  const main = join(root, "src", "serving", `main-${entry}.ts`);
  return startProcess(process.execPath, ["--import", endsWithParent, main, `${group}-${replica}`], env);
}

/** Starts the host's frontend as systemd does: it listens on what is handed over. */
export function startFrontendOn(
  sockets: { name: string; fd: number }[],
  host: Host,
  env: NodeJS.ProcessEnv,
): TestProcess {
  const main = join(root, "src", "serving", "main-frontend.ts");
  const names = sockets.map(({ name }) => name).join(":");
  return startProcess(
    "/bin/sh",
    ["-c", 'LISTEN_PID=$$ exec "$@"', "sh", process.execPath, "--import", endsWithParent, main],
    { ...host.env, ...env, NODE_COMPILE_CACHE: compileCache(), LISTEN_FDS: `${sockets.length}`, LISTEN_FDNAMES: names },
    sockets.map(({ fd }) => fd),
  );
}

/** The status and JSON of an answer. */
export async function ask(
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: Headers; body: Record<string, unknown> }> {
  const answer = await fetch(url, {
    ...(body === undefined ? {} : { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body) }),
    headers: {
      accept: "application/json",
      ...(body !== undefined && { "content-type": "application/json" }),
      ...headers,
    },
    signal: AbortSignal.timeout(10_000),
  });
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Record<string, unknown> };
}

/** Waits until the host answers as ready. */
export function untilReady(host: Host): Promise<true> {
  const ready = async () => {
    const answer = await fetch(`${host.url}/v2/health/ready`).catch(() => undefined);
    return answer?.status === 200 ? (true as const) : undefined;
  };
  return waitFor("the host to be ready", ready, { timeoutMs: 15_000, intervalMs: 30, maxIntervalMs: 200 });
}
