/**
 * `npm start` by phase: a warm first start (packages, image and payload are cached), a second one that changes nothing, a model's
 * redeployment, and the end. Prints a Markdown table; run it with the pinned Node: `node_modules/.bin/node bench/quickstart.ts [rounds]`.
 */
import { cpus, totalmem } from "node:os";
import { Slipway } from "../test/e2e/slipway.ts";

const rounds = Number(process.argv[2] ?? 3);
const commands: [string, string[]][] = [
  ["start", ["quickstart"]],
  ["start again", ["quickstart"]],
  ["other model", ["up", "--model", "models/diabetes/development"]],
  ["stop", ["quickstart", "--stop"]],
];
const samples = new Map<string, number[]>();
const add = (name: string, ms: number) => samples.set(name, [...(samples.get(name) ?? []), ms]);

for (let round = 0; round < rounds; round++) {
  const slipway = await Slipway.create();
  try {
    for (const [name, args] of commands) {
      const start = performance.now();
      const { result } = await slipway.run(args);
      if (result?.ok !== true) throw new Error(`${name}: ${JSON.stringify(result)}`);
      add(`**${name}**`, performance.now() - start);
      for (const [phase, ms] of Object.entries(result.timings as Record<string, number>)) add(`${name}: ${phase}`, ms);
    }
  } finally {
    await slipway.remove();
  }
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
console.log(
  `${cpus().length} cores (${cpus()[0]?.model}), ${Math.round(totalmem() / 2 ** 30)} GiB, ${new Date().toISOString().slice(0, 10)}, ${rounds} rounds`,
);
console.log("\n| | median ms | least | most |\n|---|---|---|---|");
for (const [name, values] of samples) {
  console.log(
    `| ${name} | ${Math.round(median(values))} | ${Math.round(Math.min(...values))} | ${Math.round(Math.max(...values))} |`,
  );
}
