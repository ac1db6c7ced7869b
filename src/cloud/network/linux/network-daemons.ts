import { mkdir, rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { SlipwayError } from "../../../common/errors.ts";
import { readTextIfExists, sizeOf, writeFileAtomic } from "../../../common/files.ts";
import { waitFor } from "../../../common/wait.ts";
import {
  isAlive,
  markOf,
  type ProcessMark,
  readProcess,
  signal,
  startDetached,
} from "../../hypervisors/nspawn/processes.ts";
import type { DaemonConfigs } from "./daemon-configs.ts";
import { nameInNetwork } from "./names.ts";
import { listNamespaces, netnsFolder, processesInNamespace } from "./netns.ts";

/** Programs that serve a network's guests, in its namespace. */
export const networkPrograms = ["radvd", "dnsmasq"] as const;
type Program = (typeof networkPrograms)[number];

const endTimeoutMs = 10_000;

/** Bytes: what guests make one warn of fills no disk. */
const logLimits = {
  /** After which a log is begun anew, at the next look. */
  usual: 1024 * 1024,
  /** Where the kernel lets none go on, also while no cloud looks. */
  most: 16 * 1024 * 1024,
};

/** What a network's are told, and the processes that were; undefined: they could not be started. */
interface Told {
  wanted: DaemonConfigs;
  processes?: ProcessMark[];
}

/**
 * One process a program and network. They run on without the cloud, are found by their namespace, and are told apart by their
 * configuration's name, which is in their command line.
 */
export class NetworkDaemons {
  readonly #folder: string;
  /** By namespace; nothing is known of the others. */
  readonly #told = new Map<string, Told>();

  constructor(stateDir: string) {
    this.#folder = join(stateDir, "network-daemons");
  }

  /** Makes a network's be as wanted: what runs with the same configuration goes on. */
  async apply(namespace: string, wanted: DaemonConfigs): Promise<void> {
    const told = this.#told.get(namespace);
    if (told !== undefined && isDeepStrictEqual(told.wanted, wanted) && (await isServed(told))) return;
    this.#told.set(namespace, { wanted });
    const present = await processesIn(namespace); // most networks have none, and want none
    const processes: ProcessMark[] = [];
    for (const program of networkPrograms) {
      processes.push(...(await this.#applyOne(program, namespace, wanted, marksOf(present, program))));
    }
    this.#told.set(namespace, { wanted, processes });
  }

  /** Begins logs anew that have become long. Returns the networks whose are not all there any more, with what they are to be told. */
  async look(): Promise<[namespace: string, wanted: DaemonConfigs][]> {
    const missing: [string, DaemonConfigs][] = [];
    for (const [namespace, told] of this.#told) {
      if (!(await isServed(told))) missing.push([namespace, told.wanted]);
      for (const program of networkPrograms.filter((one) => told.wanted[one] !== undefined)) {
        const log = `${join(this.#folder, program, told.wanted.name)}.log`;
        if ((await sizeOf(log)) > logLimits.usual) await truncate(log);
      }
    }
    return missing;
  }

  /** Forgets a namespace that is gone; what runs on in one that has lost its name serves nobody, and is ended. */
  async forget(namespace: string): Promise<void> {
    const told = this.#told.get(namespace);
    this.#told.delete(namespace);
    for (const mark of told?.processes ?? []) await signal(mark, "SIGKILL");
  }

  /** Ends all that run in a network's namespace, which would not go else, and removes their files; other namespaces have none. */
  async end(namespace: string): Promise<void> {
    const name = nameInNetwork(namespace);
    if (name === undefined) return;
    this.#told.delete(namespace);
    const present = await processesIn(namespace);
    for (const program of networkPrograms) {
      if (marksOf(present, program).length > 0) await endAll(namespace, program);
      await this.#removeFiles(program, name);
    }
  }

  /** Returns what runs then. */
  async #applyOne(
    program: Program,
    namespace: string,
    wanted: DaemonConfigs,
    running: ProcessMark[],
  ): Promise<ProcessMark[]> {
    const { name, [program]: config } = wanted;
    const folder = join(this.#folder, program);
    const path = join(folder, name);
    if (config === undefined) {
      if (running.length > 0) await endAll(namespace, program);
      await this.#removeFiles(program, name);
      return [];
    }
    if (running.length > 0 && (await readTextIfExists(path)) === config) return running;
    if (running.length > 0) await killAll(namespace, program); // unsaid: the next one goes on in its stead
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeFileAtomic(path, config);
    await rm(`${path}.log`, { force: true });
    const enter = ["nsenter", `--net=${join(netnsFolder, namespace)}`, `--wd=${folder}`];
    await startDetached([...enter, ...withLogLimit, ...commandOf(program, name, path)], `${path}.log`, {
      PATH: process.env.PATH,
    });
    const started = async () => {
      const marks = await processesOf(namespace, program);
      return marks.length > 0 ? marks : undefined;
    };
    return waitFor(`${program} to start`, started, { timeoutMs: endTimeoutMs, intervalMs: 20 });
  }

  async #removeFiles(program: Program, name: string): Promise<void> {
    const path = join(this.#folder, program, name);
    for (const suffix of ["", ".log", ".pid"]) await rm(`${path}${suffix}`, { force: true });
  }
}

/** POSIX counts blocks of 512 bytes; a full log ends nobody. */
const withLogLimit = ["sh", "-c", `trap "" XFSZ; ulimit -f ${logLimits.most / 512}; exec "$@"`, "sh"];

const isServed = async ({ processes }: Told): Promise<boolean> =>
  processes !== undefined && (await Promise.all(processes.map(isAlive))).every(Boolean);

function commandOf(program: Program, name: string, path: string): string[] {
  return program === "radvd"
    ? ["radvd", "-n", "-C", name, "-p", `${path}.pid`, "-m", "stderr"]
    : ["dnsmasq", "-k", "-C", name, "--pid-file=", "--log-facility=-"];
}

/** A process with its program's name. */
interface Present {
  name: string;
  mark: ProcessMark | undefined;
}

async function processesIn(namespace: string): Promise<Present[]> {
  if (!(await listNamespaces(namespace)).includes(namespace)) return [];
  const pids = await processesInNamespace(namespace);
  return Promise.all(
    pids.map(async (pid) => {
      const mark = await markOf(pid);
      return { name: (await readProcess(`/proc/${pid}/comm`)).trim(), mark };
    }),
  );
}

const marksOf = (present: readonly Present[], program: Program): ProcessMark[] =>
  present.flatMap(({ name, mark }) => (name === program && mark !== undefined ? [mark] : []));

const processesOf = async (namespace: string, program: Program) => marksOf(await processesIn(namespace), program);

/** Routers that go say so, where they still can. */
async function endAll(namespace: string, program: Program): Promise<void> {
  try {
    await signalAll(namespace, program, "SIGTERM");
  } catch (error) {
    if (!(error instanceof SlipwayError && error.code === "E_TIMEOUT")) throw error;
    await killAll(namespace, program);
  }
}

const killAll = (namespace: string, program: Program) => signalAll(namespace, program, "SIGKILL");

/** @throws SlipwayError E_TIMEOUT where one is still there after its time */
async function signalAll(namespace: string, program: Program, how: NodeJS.Signals): Promise<void> {
  for (const mark of await processesOf(namespace, program)) await signal(mark, how);
  const gone = async () => ((await processesOf(namespace, program)).length === 0 ? true : undefined);
  await waitFor(`${program} to end`, gone, { timeoutMs: endTimeoutMs, intervalMs: 20 });
}
