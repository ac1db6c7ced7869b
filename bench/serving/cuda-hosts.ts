import { median } from "../report.ts";
import { failed } from "./load-report.ts";
import type { Net } from "./nets.ts";
import { takenMiB } from "./nvidia-smi.ts";
import { ours } from "./ours.ts";
import { asksJson, firstPrediction, type ServingPath } from "./path.ts";
import { type Effort, measureRounds, type PathResult, rateOf } from "./rounds.ts";
import { coresText, ratios, spread } from "./tables.ts";

const CONNECTIONS = 64;
const DEVICES = ["cpu", "cuda"] as const;
/** Rows of a request. */
const QUESTIONS = [1, 64];

/** Hosts with the same net, asked in turns. */
export interface HostResults {
  results: PathResult[];
  /** MiB of the GPU's memory that each host took as it came up, by its path's key. */
  memoryMiB: Map<string, number>;
}

/** Asks whole hosts, frontend and runtimes as they are installed, which differ in what computes alone. All of them are up at once. */
export async function measureHosts(
  net: Net,
  effort: Omit<Effort, "connections">,
  folder: string,
  tell: (line: string) => void,
): Promise<HostResults> {
  const memoryMiB = new Map<string, number>();
  const paths = QUESTIONS.flatMap((rows) => DEVICES.map((device) => host(device, rows, memoryMiB)));
  const results = await measureRounds(net, paths, { ...effort, connections: CONNECTIONS }, folder, tell);
  return { results, memoryMiB };
}

/** A line for each host, as Markdown. */
export function hostsTable({ name, what }: Net, { results, memoryMiB }: HostResults): string {
  const lines = results.map((result, index) => {
    const { path, many, one } = result;
    const beside = results[index - (index % DEVICES.length)];
    const cells = [
      path.name,
      spread(many.map(rateOf)),
      spread(ratios(result, beside, rateOf), 2),
      spread(
        many.map(({ load }) => load.p50),
        2,
      ),
      spread(
        many.map(({ load }) => load.p99),
        2,
      ),
      coresText(many),
      `${many.reduce((sum, { load }) => sum + failed(load), 0)}`,
      median(one.map(({ load }) => load.p50)).toFixed(2),
      `${memoryMiB.get(path.key)}`,
    ];
    return `| ${cells.join(" | ")} |`;
  });
  const head = [
    "rows a request, computed by",
    "requests/s",
    "÷ CPU",
    "p50 ms",
    "p99 ms",
    "cores used",
    "failed",
    "p50 ms, 1 connection",
    "GPU memory of 2 runtimes, MiB",
  ];
  return [
    `## Hosts with the ${name} net (${what}), \`/v1/predict\`, ${CONNECTIONS} connections`,
    "",
    `| ${head.join(" | ")} |`,
    `|${head.map(() => "---").join("|")}|`,
    ...lines,
  ].join("\n");
}

function host(device: (typeof DEVICES)[number], rows: number, memoryMiB: Map<string, number>): ServingPath {
  const key = `${device}-${rows}`;
  const path = ours(
    key,
    `${rows}, ${device}`,
    ({ row }, running) => ({
      question: asksJson(`${running.host.url}/v1/predict`, { rows: Array.from({ length: rows }, () => row) }),
      probabilityIn: firstPrediction,
    }),
    async () => ({ runtimes: [{ name: "default", device }] }),
  );
  return {
    ...path,
    start: async (net, folder) => {
      const before = await takenMiB();
      const served = await path.start(net, folder);
      memoryMiB.set(key, (await takenMiB()) - before);
      return served;
    },
  };
}
