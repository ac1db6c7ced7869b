/**
 * What an NVIDIA GPU computes beside what the processor does: how far the answers are apart, how long batches take in the runtime, and
 * what a host answers. Prints Markdown; progress goes to standard error. Needs a machine as docs/how-to/gpu.md says, and for `hosts` root
 * and wrk from Debian's archive.
 *
 *     node_modules/.bin/node bench/serving/cuda.ts [--parts answers,batches,hosts] [--rounds 5] [--seconds 2]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "../../src/common/errors.ts";
import { machineLine } from "../report.ts";
import { answersTable, compareAnswers } from "./cuda-answers.ts";
import { batchesTable, measureBatches } from "./cuda-batches.ts";
import { hostsTable, measureHosts } from "./cuda-hosts.ts";
import { heavyNet, smallNet } from "./nets.ts";
import { gpuLine } from "./nvidia-smi.ts";

const { values: asked } = parseArgs({
  options: {
    parts: { type: "string", default: "answers,batches,hosts" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "2" },
  },
});
const effort = { rounds: Number(asked.rounds), seconds: Number(asked.seconds) };
const tell = (line: string) => console.error(line);
const folder = await mkdtemp(join(tmpdir(), "slipway-bench-"));

const parts: Record<string, () => Promise<string>> = {
  answers: async () => {
    const { rounds } = effort;
    return answersTable(await compareAnswers([await smallNet(), heavyNet()], rounds, folder, tell), rounds);
  },
  batches: async () => batchesTable(heavyNet(), await measureBatches(heavyNet(), effort.rounds, tell)),
  hosts: async () => hostsTable(heavyNet(), await measureHosts(heavyNet(), effort, folder, tell)),
};
try {
  console.log(`${machineLine(effort.rounds)}; ${await gpuLine()}. Medians, least and most in brackets.`);
  for (const name of asked.parts.split(",")) {
    const part = parts[name];
    if (part === undefined) throw new Error(`no part ${name}; there are ${Object.keys(parts).join(", ")}`);
    try {
      console.log(`\n${await part()}`);
    } catch (error) {
      // the other parts are still of use
      console.log(`\n${name}: ${messageOf(error)}`);
      process.exitCode = 1;
    }
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
