import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { readTextIfExists, writeFileAtomic } from "../../../common/files.ts";
import { waitFor } from "../../../common/wait.ts";
import { markOf, readProcess, signal, startDetached } from "../../hypervisors/nspawn/processes.ts";
import type { DaemonConfigs } from "./daemon-configs.ts";
import { listNamespaces, netnsFolder, processesInNamespace } from "./netns.ts";

/** Programs that serve a network's guests, in its namespace. */
const programs = ["radvd", "dnsmasq"] as const;
type Program = (typeof programs)[number];

const endTimeoutMs = 10_000;

/**
 * One process a program and network. They run on without the cloud, are found by their namespace, and are told apart by their
 * configuration's name, which is in their command line.
 */
export class NetworkDaemons {
  readonly #folder: string;
  /** What each namespace's are told; nothing is known of the others. */
  readonly #told = new Map<string, string>();

  constructor(stateDir: string) {
    this.#folder = join(stateDir, "network-daemons");
  }

  /** Makes a network's be as wanted: what runs with the same configuration goes on. */
  async apply(namespace: string, wanted: DaemonConfigs): Promise<void> {
    const all = JSON.stringify(wanted);
    if (this.#told.get(namespace) === all) return;
    this.#told.delete(namespace);
    for (const program of programs) await this.#applyOne(program, wanted.name, namespace, wanted[program]);
    this.#told.set(namespace, all);
  }

  /** Ends all that run in a namespace, which would not go else. */
  async end(namespace: string): Promise<void> {
    this.#told.delete(namespace);
    for (const program of programs) await endAll(namespace, program, "SIGTERM");
  }

  async #applyOne(program: Program, name: string, namespace: string, config: string | undefined): Promise<void> {
    const folder = join(this.#folder, program);
    const path = join(folder, name);
    const running = await processesOf(namespace, program);
    if (config === undefined) {
      if (running.length > 0) await endAll(namespace, program, "SIGTERM"); // routers that go say so
      await rm(path, { force: true });
      return;
    }
    if (running.length > 0 && (await readTextIfExists(path)) === config) return;
    await endAll(namespace, program, "SIGKILL"); // unsaid: the next one goes on in its stead
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeFileAtomic(path, config);
    const enter = ["nsenter", `--net=${join(netnsFolder, namespace)}`, `--wd=${folder}`];
    await startDetached([...enter, ...commandOf(program, name, path)], `${path}.log`, { PATH: process.env.PATH });
    const started = async () => ((await processesOf(namespace, program)).length > 0 ? true : undefined);
    await waitFor(`${program} to start`, started, { timeoutMs: endTimeoutMs, intervalMs: 20 });
  }
}

function commandOf(program: Program, name: string, path: string): string[] {
  return program === "radvd"
    ? ["radvd", "-n", "-C", name, "-p", `${path}.pid`, "-m", "stderr"]
    : ["dnsmasq", "-k", "-C", name, "--pid-file=", "--log-facility=-"];
}

async function processesOf(namespace: string, program: Program): Promise<number[]> {
  if (!(await listNamespaces(namespace)).includes(namespace)) return [];
  const pids = await processesInNamespace(namespace);
  const names = await Promise.all(pids.map((pid) => readProcess(`/proc/${pid}/comm`)));
  return pids.filter((_, index) => names[index]?.trim() === program);
}

async function endAll(namespace: string, program: Program, how: NodeJS.Signals): Promise<void> {
  for (const pid of await processesOf(namespace, program)) {
    const mark = await markOf(pid);
    if (mark !== undefined) await signal(mark, how);
  }
  const gone = async () => ((await processesOf(namespace, program)).length === 0 ? true : undefined);
  await waitFor(`${program} to end`, gone, { timeoutMs: endTimeoutMs, intervalMs: 20 });
}
