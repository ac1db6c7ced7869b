import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { cpuSecondsOf } from "./cpu.ts";
import { loadOn } from "./load.ts";
import type { Load } from "./load-report.ts";
import type { Net } from "./nets.ts";
import type { Served, ServingPath } from "./path.ts";
import { ask } from "./start.ts";

/** One path in one round. */
export interface Measurement {
  load: Load;
  /** Cores that each process used, with all that descend from it. */
  cores: Record<string, number>;
}

/** A path's measurements, round by round. */
export interface PathResult {
  path: ServingPath;
  many: Measurement[];
  one: Measurement[];
}

/** How long and how often. */
export interface Effort {
  rounds: number;
  seconds: number;
  /** Connections of the measurements under load; there are others with one connection. */
  connections: number;
}

const WARM_UP_SECONDS = 2;
/** How far an answer may be from the right one: float32 inference. */
const TOLERANCE = 1e-5;

/**
 * Measures paths with the same net, all of them up, one after the other in every round, so that what else the machine does comes over all of
 * them alike. A path that does not come up is told to `skipped`. Throws for one that answers something else than the model says.
 */
export async function measureRounds(
  net: Net,
  paths: ServingPath[],
  { rounds, seconds, connections }: Effort,
  folder: string,
  tell: (line: string) => void,
): Promise<PathResult[]> {
  const up: { path: ServingPath; served: Served; result: PathResult }[] = [];
  try {
    for (const path of paths) {
      const own = join(folder, net.name, path.key);
      await mkdir(own, { recursive: true });
      const served = await path.start(net, own);
      up.push({ path, served, result: { path, many: [], one: [] } });
      await requireRightAnswer(path, served, net);
      await loadOn(served.question, connections, WARM_UP_SECONDS);
      tell(`${net.name}: ${path.name} is up`);
    }
    for (let round = 1; round <= rounds; round++) {
      for (const { path, served, result } of up) {
        const many = await measure(served, connections, seconds);
        result.many.push(many);
        result.one.push(await measure(served, 1, seconds));
        tell(`${net.name}, round ${round}: ${path.name} ${Math.round(rateOf(many))}/s`);
      }
    }
    return up.map(({ result }) => result);
  } finally {
    await Promise.all(up.map(({ served }) => served.stop()));
  }
}

/** Answered requests a second. */
export function rateOf({ load }: Measurement): number {
  return load.requests / load.seconds;
}

/** Cores that all of the path's processes used together. */
export function coresOf({ cores }: Measurement): number {
  return Object.values(cores).reduce((sum, each) => sum + each, 0);
}

async function requireRightAnswer(path: ServingPath, served: Served, net: Net): Promise<void> {
  if (path.modelless) return;
  const { body } = await ask(served.question);
  const probability = served.probabilityIn(body);
  if (!(Math.abs(probability - net.expected) <= TOLERANCE)) {
    throw new Error(`${path.name} answers ${body}, the model says ${net.expected}`);
  }
}

async function measure(served: Served, connections: number, seconds: number): Promise<Measurement> {
  const processes = Object.entries(served.processes);
  const used = () => Promise.all(processes.map(([, pid]) => cpuSecondsOf(pid)));
  const before = await used();
  const load = await loadOn(served.question, connections, seconds);
  const after = await used();
  const cores = processes.map(([name], index) => {
    return [name, ((after[index] ?? 0) - (before[index] ?? 0)) / load.seconds] as const;
  });
  return { load, cores: Object.fromEntries(cores) };
}
